"""Value sets that a code system defines by the form of their URL, without a resource.

https://hl7.org/fhir/R4/snomedct.html#implicit, https://hl7.org/fhir/R4/loinc.html#implicit

| URL | What is in it |
|---|---|
| `http://snomed.info/sct?fhir_vs` | all of SNOMED CT; before `?`, an edition and a version may follow |
| `…?fhir_vs=isa/[id]` | the concept and all below it |
| `…?fhir_vs=refset` | the concepts that are reference sets with members |
| `…?fhir_vs=refset/[id]` | the members of a reference set |
| `http://loinc.org/vs` | all of LOINC |
| `http://loinc.org/vs/LL…` | the answers of an answer list |
| `http://loinc.org/vs/LP…` | the part and all below it in the hierarchy |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"

_SNOMED = re.compile(re.escape(SNOMED) + r"(/\d+(?:/version/\d+)?)?\?fhir_vs(?:=(isa|refset)(?:/(\d+))?)?", re.ASCII)
_LOINC = re.compile(re.escape(LOINC) + r"/vs(?:/((LL|LP)[\d-]+))?", re.ASCII)

SetNames = Callable[[str, str], Collection[str] | None]
"""Returns the names of the sets of a loaded system in a version (empty: the newest), None where it is not loaded."""


def implicit_system(url: str) -> str:
    """Returns the code system whose implicit value set a URL could name; empty where it is none."""
    if url.startswith((f"{SNOMED}?", f"{SNOMED}/")):
        return SNOMED
    return LOINC if url == f"{LOINC}/vs" or url.startswith(f"{LOINC}/vs/") else ""


def build_implicit_value_set(url: str, set_names: SetNames) -> dict[str, Any] | None:
    """Returns the ValueSet that a URL stands for; None where it stands for none, or the system is not loaded."""
    if found := _SNOMED.fullmatch(url):
        edition, kind, id_ = found.groups()
        version = f"{SNOMED}{edition}" if edition else ""
        names = set_names(SNOMED, version)
        return None if names is None else _snomed(url, version, kind, id_, names)
    if found := _LOINC.fullmatch(url):
        id_, kind = found.groups()
        names = set_names(LOINC, "")
        if names is None or (kind == "LL" and id_ not in names):
            return None
        filters = {"LL": [_filter("concept", "in", id_)], "LP": [_filter("concept", "is-a", id_)]}
        return _value_set(url, LOINC, "", filter=filters.get(kind or "", []))
    return None


def _snomed(url: str, version: str, kind: str, id_: str, names: Collection[str]) -> dict[str, Any] | None:
    if kind == "refset" and not id_:
        return _value_set(url, SNOMED, version, concept=[{"code": name} for name in sorted(names)])
    if (kind == "refset" and id_ not in names) or (kind == "isa" and not id_):
        return None
    filters = {"isa": [_filter("concept", "is-a", id_)], "refset": [_filter("concept", "in", id_)]}
    return _value_set(url, SNOMED, version, filter=filters.get(kind or "", []))


def _filter(property_: str, operator: str, value: str) -> dict[str, str]:
    return {"property": property_, "op": operator, "value": value}


def _value_set(url: str, system: str, version: str, **rest: list[dict[str, str]]) -> dict[str, Any]:
    include: dict[str, Any] = {"system": system, **({"version": version} if version else {})}
    include |= {name: rows for name, rows in rest.items() if rows}
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": [include]}}
