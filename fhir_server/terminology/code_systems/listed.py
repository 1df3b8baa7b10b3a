"""Countries, currencies and time zones: short lists that other standards keep.

https://hl7.org/fhir/R4/iso3166.html, https://hl7.org/fhir/R4/valueset-currencies.html

| System | Codes |
|---|---|
| `urn:iso:std:iso:3166` | two letters, three letters and three digits of each country |
| `urn:iso:std:iso:4217` | currencies; those no longer in use are inactive |
| `https://www.iana.org/time-zones` | names of the time zones that this machine knows |
"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from fhir_server.terminology.code_systems.content import CodeSystemContent
from fhir_server.terminology.code_systems.registries import registries

COUNTRIES = "urn:iso:std:iso:3166"
CURRENCIES = "urn:iso:std:iso:4217"
TIME_ZONES = "https://www.iana.org/time-zones"


def countries() -> CodeSystemContent:
    """Returns ISO 3166-1, with names in English and French."""
    rows = registries()["countries"]
    return _system(
        COUNTRIES, "ISO3166", [_concept(row[form], row[3], row[4]) for form in range(3) for row in rows]
    )


def currencies() -> CodeSystemContent:
    """Returns ISO 4217, with names in English and French."""
    concepts = []
    for code, english, french, is_used in registries()["currencies"]:
        gone = {} if is_used else {"property": [{"code": "inactive", "valueBoolean": True}]}
        concepts.append(_concept(code, english, french) | gone)
    return _system(CURRENCIES, "ISO4217", concepts)


def time_zones() -> CodeSystemContent:
    """Returns the time zones of IANA, whose names are their displays."""
    return _system(TIME_ZONES, "TimeZones", [{"code": name, "display": name} for name in sorted(available_timezones())])


def _concept(code: str, english: str, french: str) -> dict[str, Any]:
    designations = {"designation": [{"language": "fr", "value": french}]} if french else {}
    return {"code": code, "display": english, **designations}


def _system(url: str, name: str, concepts: list[dict[str, Any]]) -> CodeSystemContent:
    header = {"resourceType": "CodeSystem", "url": url, "name": name, "status": "active", "language": "en"}
    return CodeSystemContent({**header, "caseSensitive": True, "content": "complete", "concept": concepts})
