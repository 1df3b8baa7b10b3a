"""Faults written by hand, where no definition says how to make them: narratives, containment, Bundles, extensions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.support.mutations.mutation import Mutation
from tests.support.mutations.places import JsonObject
from tests.support.mutations.trial_profiles import ROWS as TRIAL_ROWS
from tests.support.mutations.written_constraints import DOCUMENT, Edits, Row
from tests.support.mutations.written_constraints import ROWS as CONSTRAINT_ROWS
from tests.unit.validation.faults import GONE, SOUND, XHTML, nested_extensions

PATIENT, OBSERVATION, TRANSACTION = SOUND["patient"], SOUND["observation"], SOUND["bundle"]
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
NATIONALITY = "http://hl7.org/fhir/StructureDefinition/patient-nationality"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
OTHER_URL = "http://example.org/other"

NARRATIVES: list[Row] = [
    (rule, PATIENT, {"text/div": div}, "Patient.text.div")
    for rule, div in (
        ("xhtml-root", "<div>x</div>"),
        ("xhtml-root", '<p xmlns="http://www.w3.org/1999/xhtml">x</p>'),
        ("xhtml-syntax", XHTML.format("<p>x")),
        ("xhtml-syntax", XHTML.format("a & b")),
        ("xhtml-syntax", XHTML.format("<p a=b>x</p>")),
        ("xhtml-syntax", "<div"),
        ("xhtml-syntax", "x"),
        ("txt-1", XHTML.format("<script>x</script>")),
        ("txt-1", XHTML.format("<form><input/></form>x")),
        ("txt-1", XHTML.format("<object>x</object>")),
        ("txt-1", XHTML.format("<style>p {}</style>x")),
        ("txt-1", XHTML.format("<iframe>x</iframe>")),
        ("txt-1", XHTML.format("<link/>x")),
        ("txt-1", XHTML.format('<p onclick="x()">x</p>')),
        ("txt-1", XHTML.format('<p ONLOAD="x()">x</p>')),
        ("txt-1", XHTML.format('<a href="javascript:x()">x</a>')),
        ("txt-1", XHTML.format('<a href=" JavaScript:x()">x</a>')),
        ("txt-1", XHTML.format("&nothing;")),
        ("txt-1", "<!DOCTYPE div [<!ENTITY a 'b'>]>" + XHTML.format("&a;")),
        ("primitive-xhtml", 7),
        ("json-shape", ["x"]),
    )
]
CONTAINMENT: list[Row] = [
    ("ref-1", OBSERVATION, {"device/reference": "#d2", "subject/reference": "#d1", "subject/type": GONE,
                            "contained/0": {"resourceType": "Device", "id": "d1"}}, "Observation.device"),
    ("dom-3", OBSERVATION, {"contained/1": {"resourceType": "Device", "id": "d9"}}, "Observation"),
    ("unknown-element", OBSERVATION, {"contained/0/colour": "green"}, "Observation.contained[0].colour"),
    ("cardinality-min", OBSERVATION, {"contained/0": {"resourceType": "Basic", "id": "d1"}, "device": GONE,
                                      "focus": [{"reference": "#d1"}]}, "Observation.contained[0].code"),
    ("depth", PATIENT, {"extension": nested_extensions(70)}, "Patient" + ".extension[0]" * 65),
    ("json-shape", OBSERVATION, {"contained/1": ["x"]}, "Observation.contained[1]"),
]  # fmt: skip
BUNDLES: list[Row] = [
    ("bdl-7", DOCUMENT, {"entry/1": DOCUMENT["entry"][0]}, "Bundle"),
    ("bdl-3", TRANSACTION, {"entry/1/request": GONE}, "Bundle"),
    ("bdl-3", TRANSACTION, {"type": "batch", "entry/0/request": GONE}, "Bundle"),
    ("bdl-4", TRANSACTION, {"entry/1/response": {"status": "200"}}, "Bundle"),
    ("bdl-1", TRANSACTION, {"total": 2}, "Bundle"),
    ("bdl-2", TRANSACTION, {"entry/1/search": {"mode": "match"}}, "Bundle"),
    ("binding-required", TRANSACTION, {"entry/1/request/method": "SEND"}, "Bundle.entry[1].request.method"),
    ("cardinality-min", TRANSACTION, {"entry/1/request/url": GONE}, "Bundle.entry[1].request.url"),
    ("bdl-10", {**DOCUMENT, "entry": [{"fullUrl": "http://example.org/Composition/1", "resource": {
        "resourceType": "Composition", "id": "1", "status": "final", "type": {"text": "x"}, "date": "2024",
        "title": "x", "author": [{"display": "x"}]}}]}, {"type": "document", "timestamp": GONE}, "Bundle"),
    ("bdl-11", DOCUMENT, {"type": "document"}, "Bundle"),
    ("reference-target-type", TRANSACTION, {"entry/0/resource": {"resourceType": "Practitioner"},
                                            "entry/0/request/url": "Practitioner"},
     "Bundle.entry[1].resource.subject"),
]  # fmt: skip
EXTENSIONS: list[Row] = [
    ("ext-1", PATIENT, {"extension/0/valueString": GONE, "extension/0/id": "a"}, "Patient.extension[0]"),
    ("ext-1", PATIENT, {"extension/0/extension": [{"url": "a", "valueCode": "b"}]}, "Patient.extension[0]"),
    ("cardinality-min", PATIENT, {"extension/0/url": GONE}, "Patient.extension[0].url"),
    ("choice-type", PATIENT, {"extension/0/valueColour": "x", "extension/0/valueString": GONE},
     "Patient.extension[0].valueColour"),
    ("choice-type", PATIENT, {"extension/0": {"url": BIRTH_PLACE, "valueString": "x"}}, "Patient.extension[0].value"),
    ("choice-multiple", PATIENT, {"extension/0/valueCode": "x"}, "Patient.extension[0].value"),
    ("modifier-extension-unknown", PATIENT, {"modifierExtension": [{"url": OTHER_URL, "valueCode": "x"}]},
     "Patient.modifierExtension[0].url"),
    ("modifier-extension-unknown", PATIENT, {"contact/0/modifierExtension": [{"url": OTHER_URL, "valueCode": "x"}]},
     "Patient.contact[0].modifierExtension[0].url"),
    ("unknown-element", PATIENT, {"name/0/modifierExtension": [{"url": OTHER_URL, "valueCode": "x"}]},
     "Patient.name[0].modifierExtension"),
    ("extension-url", PATIENT, {"extension/0/url": "colour"}, "Patient.extension[0].url"),
    ("extension-context", OBSERVATION, {"extension": [{"url": BIRTH_PLACE, "valueAddress": {"city": "x"}}]},
     "Observation.extension[0]"),
    ("extension-context", PATIENT, {"name/0/extension": [{"url": NATIONALITY, "extension": [
        {"url": "code", "valueCodeableConcept": {"text": "x"}}]}]}, "Patient.name[0].extension[0]"),
]  # fmt: skip
IDENTIFIERS: list[Row] = [
    (rule, {**PATIENT, "identifier": [{"system": system, "value": value}]},
     {"identifier/0/value": wrong}, "Patient.identifier[0].value")
    for rule, system, value, wrong in (
        ("identifier-idnps-key", "urn:oid:1.2.250.1.71.4.2.1", "899700218896", "899700218897"),
        ("identifier-rpps-key", "https://rpps.esante.gouv.fr", "10005173140", "10005173141"),
        ("identifier-rpps-key", "https://rpps.esante.gouv.fr", "10005173140", "10005137140"),
        ("identifier-finess-key", "https://finess.esante.gouv.fr", "350005179", "350005178"),
        ("identifier-siren-key", "https://sirene.fr", "732829320", "732829321"),
        ("identifier-siret-key", "https://sirene.fr", "73282932000074", "73282932000075"),
        ("identifier-nir-key", "urn:oid:1.2.250.1.213.1.4.8", "255081416802538", "255081416802539"),
        ("identifier-nir-key", "urn:oid:1.2.250.1.213.1.4.8", "255081416802538", "255081416820538"),
    )
]  # fmt: skip
CODES: list[Row] = [
    ("code-unknown", OBSERVATION, {"valueQuantity/code": "mgg"}, "Observation.value.code"),
    ("code-unknown", OBSERVATION, {"valueQuantity/code": "kg m"}, "Observation.value.code"),
    ("code-unknown", OBSERVATION, {"valueQuantity/code": "mg/"}, "Observation.value.code"),
    ("binding-maximum", OBSERVATION, {"language": "xx-notalanguage"}, "Observation.language"),
    ("binding-maximum", OBSERVATION, {"language": "français"}, "Observation.language"),
    ("binding-maximum", PATIENT, {"communication/0/language": {"coding": [{"system": "urn:ietf:bcp:47",
                                                                            "code": "x_y"}]}},
     "Patient.communication[0].language"),
    ("binding-required", SOUND["attachment"], {"content/0/attachment/contentType": "text"},
     "DocumentReference.content[0].attachment.contentType"),
    ("binding-maximum", SOUND["attachment"], {"content/0/attachment/language": "francais!"},
     "DocumentReference.content[0].attachment.language"),
    ("contained-id", OBSERVATION, {"contained/1": {"resourceType": "Device", "id": "d1"}},
     "Observation.contained[1].id"),
]  # fmt: skip
WARNED = frozenset({"identifier"})
"""Kinds of faults that are warnings where no profile asks for more."""
TABLES: dict[str, list[Row]] = {
    "narrative": NARRATIVES,
    "containment and depth": CONTAINMENT,
    "bundle": BUNDLES,
    "extension": EXTENSIONS,
    "identifier": IDENTIFIERS,
    "code of a system with rules, id of a contained resource": CODES,
    "constraint, written": CONSTRAINT_ROWS,
    "profile: limits, closed and ordered slices": TRIAL_ROWS,
}


def written_mutations() -> Iterator[Mutation]:
    """Yields the faults of all tables."""
    for kind, rows in TABLES.items():
        for number, (rule, resource, edits, expression) in enumerate(rows):
            broken = edit(resource, edits)
            of, severity = str(resource["resourceType"]), "warning" if kind in WARNED else "error"
            yield Mutation(kind, of, f"{rule} {number}", resource, broken, rule, expression, severity)


def edit(resource: JsonObject, edits: Edits) -> JsonObject:
    """Returns a resource with its edits; a key is a path of names and indexes with `/`."""
    edited = copy.deepcopy(resource)
    for path, value in edits.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        node: Any = edited
        for part in parents:
            node = node[part]
        if value is GONE:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(copy.deepcopy(value))
        else:
            node[last] = copy.deepcopy(value)
    return edited
