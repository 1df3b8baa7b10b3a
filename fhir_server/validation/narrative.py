"""XHTML of a Narrative: well-formed, one `div`, only what R4 allows. https://hl7.org/fhir/R4/narrative.html

No document type is read, so entities cannot be defined; those of HTML are known by name. Ids are unique, and links to
`#id` should lead to an id of the narrative, of an element or of a contained resource. An empty `div` is a warning:
it does no harm, and four of HL7's own examples have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.entities import name2codepoint
from typing import Any
from xml.parsers import expat

from fhir_server.validation import messages
from fhir_server.validation.findings import Context, Finding, Findings

XHTML = "http://www.w3.org/1999/xhtml"
ELEMENTS = frozenset(
    """
    a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd del dfn div dl dt em
    h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small span strong sub sup table tbody td tfoot th
    thead tr tt u ul var
    """.split()  # noqa: SIM905 a list of 60 strings reads worse
)
"""The elements of HTML 4.0 chapters 7 to 11 and 15 that R4 names, without active content."""
ATTRIBUTES = frozenset(
    """
    abbr accesskey align alt axis background bgcolor border cellborder cellhalign cellpadding cellspacing cellvalign
    char charoff charset cite class clear color colspan compact coords datetime dir face frame headers height href
    hreflang hspace id ismap lang longdesc media name noshade nowrap rel rev rowspan rules scope shape size span src
    start style summary tabindex target title type usemap valign value vlink vspace width xml:lang xml:space xmlns
    """.split()  # noqa: SIM905 a list of 70 strings reads worse
)
"""Attributes without behaviour: no `on…` handler can be among them."""
_ACTIVE_SCHEMES = ("javascript:", "vbscript:", "data:text/html")


class _Reader:
    """Gathers what one `div` holds while expat reads it."""

    def __init__(self) -> None:
        self.depth = 0
        self.has_content = False
        self.root = ""
        self.bad_elements: dict[str, None] = {}
        self.bad_attributes: dict[str, None] = {}
        self.bad_entities: dict[str, None] = {}
        self.ids: set[str] = set()
        self.repeated_ids: dict[str, None] = {}
        self.local_links: dict[str, None] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2] if tag.startswith(XHTML + " ") else tag
        if not self.depth:
            self.root = tag
        self.depth += 1
        if name not in ELEMENTS:
            self.bad_elements[name] = None
        elif name == "img":
            self.has_content = True
        for attribute, value in attributes.items():
            plain = attribute.replace("http://www.w3.org/XML/1998/namespace ", "xml:")
            if plain == "id" or (plain == "name" and name == "a"):
                self._take_id(value, is_unique=plain == "id")
            elif plain in ("href", "src") and value[:1] == "#" and len(value) > 1:
                self.local_links[value[1:]] = None
            if plain not in ATTRIBUTES or value.strip().lower().startswith(_ACTIVE_SCHEMES):
                self.bad_attributes[plain] = None

    def _take_id(self, id_: str, *, is_unique: bool) -> None:
        if is_unique and id_ in self.ids:
            self.repeated_ids[id_] = None
        self.ids.add(id_)

    def end(self, _tag: str) -> None:
        self.depth -= 1

    def text(self, data: str) -> None:
        if not self.has_content and not data.isspace():
            self.has_content = True

    def skipped_entity(self, name: str, _is_parameter: bool) -> None:
        self.has_content = True
        if name not in name2codepoint:
            self.bad_entities[name] = None


class _DocumentTypeFound(Exception):
    pass


def _refuse_document_type(*_facts: Any) -> None:
    raise _DocumentTypeFound


def check_narrative(value: Any, context: Context) -> Findings | None:
    """Returns what is wrong with the text of `Narrative.div`; None where all is well."""
    if type(value) is not str or not value:
        return [messages.primitive("xhtml", value)]
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.UseForeignDTD(True)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.SkippedEntityHandler = reader.skipped_entity
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(value, True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}, column {error.offset + 1}"
        place = f"ligne {error.lineno}, colonne {error.offset + 1}"
        return [
            messages.narrative(
                f"the XHTML is not well-formed at {where}.", f"le XHTML est mal formé, {place}.", "xhtml-syntax"
            )
        ]
    except _DocumentTypeFound:
        text = "a document type is not allowed.", "une déclaration de type de document n’est pas permise."
        return [messages.narrative(*text, "txt-1")]
    return [*_findings(reader), *_link_findings(reader, context)] or None


def _link_findings(reader: _Reader, context: Context) -> Iterator[Finding]:
    """Yields ids that stand for two places, and links into the resource that lead nowhere."""
    if reader.repeated_ids:
        listed = messages.quoted(reader.repeated_ids)
        english, french = f"the ids {listed} stand more than once.", f"les ids {listed} figurent plusieurs fois."
        yield messages.narrative(english, french, "xhtml-id")
    if reader.local_links and (dead := [link for link in reader.local_links if link not in reader.ids]):
        known = set(_ids(context.root))
        if dead := [link for link in dead if link not in known]:
            listed = messages.quoted(f"#{link}" for link in dead)
            english = f"the links {listed} lead to nothing in this resource."
            yield messages.narrative(english, f"les liens {listed} ne mènent à rien ici.", "xhtml-link", "warning")


def _ids(node: Any) -> Iterator[str]:
    """Yields every id in a resource, however deep: of its elements and of contained resources."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if type(one) is dict:
            if type(one.get("id")) is str:
                yield one["id"]
            waiting += one.values()
        elif type(one) is list:
            waiting += one


def _findings(reader: _Reader) -> list[Finding]:
    found: list[Finding] = []
    if reader.root != f"{XHTML} div":
        found.append(
            messages.narrative(
                f"the XHTML must be one `div` in the namespace `{XHTML}`.",
                f"le XHTML doit être un seul `div` dans l’espace de noms `{XHTML}`.",
                "xhtml-root",
            )
        )
    for names, english, french in (
        (reader.bad_elements, "elements", "les éléments"),
        (reader.bad_attributes, "attributes", "les attributs"),
        (reader.bad_entities, "entities", "les entités"),
    ):
        if names:
            listed = messages.quoted(names)
            found.append(
                messages.narrative(
                    f"the XHTML may not hold the {english} {listed} (txt-1).",
                    f"le XHTML ne peut pas contenir {french} {listed} (txt-1).",
                    "txt-1",
                )
            )
    if not reader.has_content:
        found.append(
            messages.narrative(
                "the XHTML must hold text or an image (txt-2).",
                "le XHTML doit contenir du texte ou une image (txt-2).",
                "txt-2",
                "warning",
            )
        )
    return found
