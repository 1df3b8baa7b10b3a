"""The XHTML of a narrative on its way between JSON, where it is text, and XML, where it is elements.

Where it can stand in both as it is, not a character changes. https://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.entities import name2codepoint
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from fhir_server.spec.xml_shapes import XHTML

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_declares_itself = re.compile(rb"<div\b[^<>]*\sxmlns\s*=")
_named_entity = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*);")


def is_self_contained(data: bytes, start: int) -> bool:
    """True where the `div` that starts there declares its own namespace, so that it means the same elsewhere."""
    return _declares_itself.match(data, start) is not None


def rebuilt(div: bytes, declarations: Iterable[tuple[str | None, str | None]]) -> str:
    """Returns the element without prefixes, its namespace declared; `declarations` are those around it, outermost
    first.
    """
    in_scope = dict(declarations)
    opening = "".join(
        f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri or '')}" for prefix, uri in in_scope.items()
    )
    writer = _Writer()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.text
    parser.Parse(b"<around" + opening.encode() + b">" + div + b"</around>", True)
    return "".join(writer.parts)


class _Writer:
    """Writes what expat reads, but for the outermost element; each change of namespace becomes a default one."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.namespaces: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.namespaces:
            self.namespaces.append("")
            return
        namespace, _, name = tag.rpartition(" ")
        declared = "" if namespace == self.namespaces[-1] else f" xmlns={quoteattr(namespace)}"
        self.namespaces.append(namespace)
        written = "".join(f" {_attribute_name(key)}={quoteattr(value)}" for key, value in attributes.items())
        self.parts.append(f"<{name}{declared}{written}>")

    def end(self, tag: str) -> None:
        self.namespaces.pop()
        if self.namespaces:
            self.parts.append(f"</{tag.rpartition(' ')[2]}>")

    def text(self, data: str) -> None:
        self.parts.append(escape(data))


def _attribute_name(tag: str) -> str:
    namespace, _, name = tag.rpartition(" ")
    return f"xml:{name}" if namespace == XML_NAMESPACE else name


def embeddable(div: str) -> str | None:
    """Returns the text of `Narrative.div` as it can stand in an XML document, or None where it is not one XHTML `div`.

    The entities of HTML (`&nbsp;`), which XML does not know, become character references.
    """
    if not div.lstrip().startswith("<") or div.lstrip().startswith(("<!", "<?")):
        return None
    if "&" in div:
        div = _named_entity.sub(_reference, div)
    roots: list[str] = []
    parser = expat.ParserCreate("UTF-8", " ")

    def take_root(tag: str, _attributes: dict[str, str]) -> None:
        roots.append(tag)
        parser.StartElementHandler = None

    parser.StartElementHandler = take_root
    try:
        parser.Parse(div.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return None
    return div if roots == [f"{XHTML} div"] else None


def _reference(match: re.Match[str]) -> str:
    code = name2codepoint.get(match[1])
    return match[0] if code is None else f"&#{code};"
