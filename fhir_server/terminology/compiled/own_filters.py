"""Filters that FHIR defines for SNOMED CT and LOINC, put into those that every compiled system has.

https://hl7.org/fhir/R4/snomedct.html#filters, https://hl7.org/fhir/R4/loinc.html#filters

| System | Filter | Means |
|---|---|---|
| SNOMED CT | `concept in [reference set]` | its members |
| | `expressions = false` or `true` | nothing: no concept of a release is an expression |
| | `constraint`, `expression` | expressions of ECL are not evaluated here |
| LOINC | `ancestor = [part]` | below the part, at any depth |
| | `LIST = [answer list]` | the answers of the list |
| | `copyright = LOINC` or `3rdParty` | without, or with, a notice of another owner |
"""

from __future__ import annotations

from fhir_server.terminology.code_systems.filters import Filter, unknown_filter
from fhir_server.terminology.compiled.layout import Header

MEMBERS = "member-of"
"""An operator of this package: the codes of a set of the source."""

_NOTICE = "EXTERNAL_COPYRIGHT_NOTICE"


def plain_filter(filter_: Filter, header: Header) -> Filter | None:
    """Returns the filter that means the same for every compiled system; None for one that keeps all codes.

    Raises UnknownFilter for one that cannot be evaluated here.
    """
    if header.kind == "snomed":
        return _snomed(filter_, header)
    return _loinc(filter_, header) if header.kind == "loinc" else filter_


def _snomed(filter_: Filter, header: Header) -> Filter | None:
    match filter_.property_code, filter_.operator:
        case "expressions", "=":
            return None
        case ("constraint" | "expression"), _:
            raise unknown_filter(filter_, header.url)
    return filter_


def _loinc(filter_: Filter, header: Header) -> Filter:
    match filter_.property_code, filter_.operator:
        case "ancestor", "=":
            return Filter("concept", "descendent-of", filter_.value)
        case "LIST", "=":
            return Filter("concept", MEMBERS, filter_.value)
        case "copyright", "=" if filter_.value in ("LOINC", "3rdParty"):
            return Filter(_NOTICE, "exists", "true" if filter_.value == "3rdParty" else "false")
        case "copyright", _:
            raise unknown_filter(filter_, header.url)
    return filter_
