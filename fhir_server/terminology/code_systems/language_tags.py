"""Language tags of BCP 47: the grammar, and IANA's registry of subtags.

https://www.rfc-editor.org/rfc/rfc5646, https://hl7.org/fhir/R4/valueset-languages.html

Tags are compared without regard to case, and written as the RFC advises: `fr-CA`, `zh-Hant`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fhir_server.terminology.code_systems.concept import Concept, Designation, PropertyValue
from fhir_server.terminology.code_systems.registries import registries
from fhir_server.terminology.code_systems.ruled import RuledCodeSystem

SYSTEM = "urn:ietf:bcp:47"

_TAG = re.compile(
    r"(?P<languages>[a-z]{2,3})(?:-(?P<extlangs>[a-z]{3}))?(?:-(?P<scripts>[a-z]{4}))?(?:-(?P<regions>[a-z]{2}|\d{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*)(?P<extensions>(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*)"
    r"(?P<private>-x(?:-[a-z0-9]{1,8})+)?",
    re.ASCII | re.IGNORECASE,
)
_PRIVATE = re.compile(r"x(?:-[a-z0-9]{1,8})+", re.ASCII | re.IGNORECASE)
_LONGEST = 100
_PARTS = ("languages", "extlangs", "scripts", "regions")
_PROPERTIES = {"languages": "language", "extlangs": "ext-lang", "scripts": "script", "regions": "region"}
_CASES = {"languages": str.lower, "extlangs": str.lower, "scripts": str.title, "regions": str.upper}


def code_system() -> RuledCodeSystem:
    """Returns BCP 47 as a code system, with the parts of a tag as properties."""
    header = {
        "url": SYSTEM,
        "version": registries()["subtags"]["date"],
        "name": "BCP47",
        "language": "en",
        "caseSensitive": False,
        "property": [{"code": code, "type": "code"} for code in (*_PROPERTIES.values(), "variant", "private-use")],
    }
    return RuledCodeSystem(header, read)


def read(tag: str) -> Concept | None:
    """Returns a language tag as a concept; None where it is none, or has a subtag that is not registered."""
    if len(tag) > _LONGEST:
        return None
    whole = registries()["subtags"]["whole"]
    known = next((name for name in whole if name.lower() == tag.lower()), None)
    if known is not None:
        return Concept(known, whole[known][0])
    if _PRIVATE.fullmatch(tag):
        return Concept(tag.lower(), tag.lower(), properties={"private-use": [PropertyValue("valueCode", tag.lower())]})
    match = _TAG.fullmatch(tag)
    return None if match is None else _concept(match)


def _concept(match: re.Match[str]) -> Concept | None:
    written, rows = [], []
    properties: dict[str, list[PropertyValue]] = {}
    for part in _PARTS:
        if subtag := match[part]:
            subtag = _CASES[part](subtag)
            row = _registered(part, subtag)
            if row is None:
                return None
            written.append(subtag)
            rows.append((part, subtag, row))
            properties[_PROPERTIES[part]] = [PropertyValue("valueCode", subtag)]
    variants = [variant.lower() for variant in match["variants"].split("-") if variant]
    singletons = re.findall(r"-([0-9a-wyz])(?=-)", match["extensions"].lower())
    if len(set(variants)) < len(variants) or len(set(singletons)) < len(singletons):
        return None
    for variant in variants:
        row = _registered("variants", variant)
        if row is None:
            return None
        rows.append(("variants", variant, row))
        properties.setdefault("variant", []).append(PropertyValue("valueCode", variant))
    if len(written) > 1 and "extlangs" == rows[1][0] and written[0] not in rows[1][2][1]["prefix"]:
        return None
    rest = (match["extensions"] + (match["private"] or "")).lower()
    code = "-".join([*written, *variants]) + rest
    names = (_name([row[0] for _, _, row in rows], rest), _name(list(_french(rows)), rest))
    return Concept(code, names[0], properties=properties, designations=(Designation(names[1], "fr"),))


def _registered(part: str, subtag: str) -> list[Any] | None:
    """Returns the registry's row of a subtag, which may lie in a range for private use."""
    section: dict[str, list[Any]] = registries()["subtags"][part]
    if subtag in section:
        return section[subtag]
    for name, row in section.items():
        first, dots, last = name.partition("..")
        if dots and len(first) == len(subtag) and first <= subtag <= last:
            return row
    return None


def _french(rows: list[tuple[str, str, list[Any]]]) -> Iterator[str]:
    names: dict[str, dict[str, str]] = registries()["french"]
    for part, subtag, row in rows:
        section = "languages" if part == "extlangs" else part
        yield names.get(section, {}).get(subtag, row[0])


def _name(names: list[str], rest: str) -> str:
    more = [*names[1:], *([rest.lstrip("-")] if rest else [])]
    return f"{names[0]} ({', '.join(more)})" if more else names[0]
