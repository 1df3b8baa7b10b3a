"""A small code system in two versions and value sets over it, for tests of the terminology operations."""

from __future__ import annotations

from typing import Any

BASE = "https://example.org/terminology/"
VEHICLES = f"{BASE}vehicles"
PARTS = f"{BASE}parts"

_DEPRECATED = "http://hl7.org/fhir/StructureDefinition/valueset-deprecated"
_PROPERTIES = [
    {"code": "status", "uri": "http://hl7.org/fhir/concept-properties#status", "type": "code"},
    {"code": "notSelectable", "uri": "http://hl7.org/fhir/concept-properties#notSelectable", "type": "boolean"},
    {"code": "wheels", "type": "integer"},
]


def _concept(code: str, display: str, french: str, *below: dict[str, Any], **properties: Any) -> dict[str, Any]:
    elements = {"status": "valueCode", "notSelectable": "valueBoolean", "wheels": "valueInteger"}
    concept: dict[str, Any] = {"code": code, "display": display}
    concept["designation"] = [{"language": "fr", "value": french}]
    if properties:
        concept["property"] = [{"code": name, elements[name]: value} for name, value in properties.items()]
    return concept | ({"concept": list(below)} if below else {})


CAR = _concept("car", "Car", "Voiture", _concept("taxi", "Taxi", "Taxi", wheels=4), wheels=4)
BICYCLE = _concept("bicycle", "Bicycle", "Vélo", wheels=2)
COACH = _concept("coach", "Stagecoach", "Diligence", status="retired", wheels=4)
TANDEM = _concept("tandem", "Tandem", "Tandem", status="deprecated", wheels=2)


def code_system(version: str, *concepts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Returns the code system of vehicles in a version."""
    return {
        "resourceType": "CodeSystem",
        "id": f"vehicles-{version}",
        "language": "en",
        "url": VEHICLES,
        "version": version,
        "name": "Vehicles",
        "status": "active",
        "caseSensitive": False,
        "content": "complete",
        "property": _PROPERTIES,
        "concept": [_concept("vehicle", "Vehicle", "Véhicule", *concepts, notSelectable=True)],
    } | more


def value_set(name: str, *include: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Returns a value set of that name; `compose` in `more` adds to what it includes."""
    compose = {"include": list(include), **more.pop("compose", {})}
    own = {"resourceType": "ValueSet", "id": name, "url": BASE + name, "version": "1", "status": "active"}
    return own | more | {"compose": compose}


def _shown_in(language: str) -> dict[str, Any]:
    """Returns the extension by which a value set says in which language its codes are shown."""
    url = "http://hl7.org/fhir/tools/StructureDefinition/valueset-expansion-parameter"
    parts = [{"url": "name", "valueCode": "displayLanguage"}, {"url": "value", "valueCode": language}]
    return {"url": url, "extension": parts}


ALL = {"system": VEHICLES}
DEFINITIONS = [
    code_system("1", CAR, COACH),
    code_system("2", CAR, BICYCLE, COACH, TANDEM),
    {
        "resourceType": "CodeSystem",
        "id": "parts",
        "url": PARTS,
        "status": "active",
        "content": "fragment",
        "concept": [{"code": "wheel", "display": "Wheel"}],
    },
    value_set("all", ALL),
    value_set("first", {**ALL, "version": "1"}),
    value_set("active", ALL, compose={"inactive": False}),
    value_set("two-wheels", {**ALL, "filter": [{"property": "wheels", "op": "=", "value": "2"}]}),
    value_set("cars", {**ALL, "filter": [{"property": "concept", "op": "is-a", "value": "car"}]}),
    value_set("no-cars", ALL, compose={"exclude": [{"valueSet": [f"{BASE}cars"]}]}),
    value_set("named", {**ALL, "concept": [{"code": "car", "display": "Motor car"}, {"code": "bicycle"}]}),
    value_set("both", {"valueSet": [f"{BASE}two-wheels", f"{BASE}named"]}),
    value_set("parts", {"system": PARTS}),
    value_set("mixed", {**ALL, "concept": [{"code": "car"}]}, {"system": PARTS, "concept": [{"code": "car"}]}),
    value_set("unknown-system", {"system": f"{BASE}absent"}),
    value_set("names-of-unknown-system", {"system": f"{BASE}absent", "concept": [{"code": "x", "display": "X"}]}),
    value_set("unknown-version", {**ALL, "version": "9"}),
    value_set(
        "old-names", {**ALL, "concept": [{"code": "car", "extension": [{"url": _DEPRECATED, "valueBoolean": True}]}]}
    ),
    value_set("french", ALL, language="fr"),
    value_set("shown-in-french", ALL, compose={"extension": [_shown_in("fr")]}),
    value_set("broken", {"valueSet": [f"{BASE}absent"]}),
    value_set("circle", {"valueSet": [f"{BASE}circle"]}),
]
