"""Names of codes, and the languages that a client reads. https://hl7.org/fhir/R4/terminologies.html#displays

A concept has one display in the language of its code system, and designations, each in a language that it names. A value
set may add both to the codes that it lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.errors import InvalidContent
from fhir_server.terminology.code_systems import Concept
from fhir_server.terminology.code_systems.concept import read_designation

_PARAMETER = "/valueset-expansion-parameter"
_PREFERRED = "preferredForLanguage"
STANDARDS_STATUS = "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
_WITHDRAWN = frozenset({"withdrawn", "deprecated"})
_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*").fullmatch
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?").fullmatch


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages that a client reads, best first; none where it does not say. `text` is how it wrote them."""

    text: str = ""
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tags)

    def accept(self, language: str) -> bool:
        """True where one of them is `language`, or one is a variety of the other (`fr` and `fr-CH`)."""
        return any(fits(tag, language) for tag in self.tags)


def parse_languages(text: str) -> Languages:
    """Returns the languages of a header `Accept-Language`; what is no language there is left aside."""
    weighted = [(quality, tag) for tag, quality in _ranges(text) if quality and _TAG(tag)]
    return Languages(text, tuple(tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])))


def display_languages(text: str) -> Languages:
    """Returns the languages of a parameter `displayLanguage`, which is written as `Accept-Language` is.

    Raises InvalidContent for what is no language.
    """
    for tag, quality in _ranges(text):
        if quality is None or not (_TAG(tag) or tag == "*"):
            raise InvalidContent(
                f"`displayLanguage` must name languages by their BCP-47 tags, such as `fr` or `fr-CH, en;q=0.5`, not"
                f" `{tag}`.",
                f"`displayLanguage` doit nommer des langues par leurs codes BCP-47, comme `fr` ou `fr-CH, en;q=0.5`, et"
                f" non `{tag}`.",
                rule="display-language",
            )
    return parse_languages(text)


def value_set_languages(value_set: Mapping[str, Any]) -> Languages:
    """Returns the languages in which a value set wants its codes to be shown: its parameter, or its own language."""
    for extension in value_set.get("compose", {}).get("extension", ()):
        if extension.get("url", "").endswith(_PARAMETER):
            parts = {part["url"]: part for part in extension.get("extension", ())}
            if _text(parts.get("name", {})) == "displayLanguage":
                return parse_languages(_text(parts.get("value", {})))
    return parse_languages(value_set.get("language", ""))


def _text(extension: Mapping[str, str]) -> str:
    return next((value for name, value in extension.items() if name.startswith("value")), "")


def _ranges(text: str) -> Iterable[tuple[str, float | None]]:
    """Yields each language range and its weight, None for a weight that is none. RFC 9110 (12.5.4)"""
    for part in filter(None, (each.strip() for each in text.split(","))):
        tag, _, rest = part.partition(";")
        name, _, weight = rest.partition("=")
        if not rest:
            yield tag.strip(), 1.0
        elif name.strip().lower() == "q" and _WEIGHT(weight.strip()):
            yield tag.strip(), float(weight)
        else:
            yield part, None


def fits(wanted: str, language: str) -> bool:
    """True where two BCP-47 tags are the same, or one begins with the whole of the other; in any case of letters."""
    first, second = sorted((wanted.lower(), language.lower()), key=len)
    return bool(first) and (first == second or second.startswith(f"{first}-"))


class Name(NamedTuple):
    """One way to call a code; `language` is empty where nobody says it. A withdrawn one is not to be used any more."""

    value: str
    language: str = ""
    is_preferred: bool = False
    is_withdrawn: bool = False


def names_of(
    concept: Concept | None, language: str = "", row: Mapping[str, Any] | None = None, row_language: str = ""
) -> list[Name]:
    """Returns all names of a code, the one to show first.

    `language` is that of the code system; `row` the code's entry in a value set, whose language is `row_language`.
    """
    found: list[Name] = []
    if row and "display" in row:
        found.append(Name(row["display"], row_language or language, is_preferred=True))
    if concept is not None and concept.display:
        found.append(Name(concept.display, language, is_preferred=True))
    designations = [read_designation(each) for each in (row or {}).get("designation", ()) if "value" in each]
    for each in (*designations, *(concept.designations if concept else ())):
        is_preferred = each.use is not None and each.use.get("code") == _PREFERRED
        found.append(Name(each.value, each.language, is_preferred, _is_withdrawn(each.extensions)))
    return list(dict.fromkeys(found))


def _is_withdrawn(extensions: Iterable[Mapping[str, Any]]) -> bool:
    return any(
        extension.get("url") == STANDARDS_STATUS and extension.get("valueCode") in _WITHDRAWN
        for extension in extensions
    )


def best_name(names: Sequence[Name], languages: Languages) -> str:
    """Returns the name to show: in the best language that has one, or else the first of all; empty without any."""
    usable = [name for name in names if not name.is_withdrawn] or names
    for tag in languages.tags:
        fitting = [name for name in usable if fits(tag, name.language)]
        if fitting:
            return next((name for name in fitting if name.is_preferred), fitting[0]).value
    return usable[0].value if usable else ""
