"""Each fault is found once, at its place, by its rule, and nothing else is found. https://hl7.org/fhir/R4/json.html"""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.validation import Validator
from tests.unit.validation.faults import GONE, SOUND, XHTML, edited, nested_extensions

EMPTY: dict[str, Any] = {}

STRUCTURE: list[tuple[str, dict[str, Any], str, str]] = [
    ("patient", {"colour": "green"}, "unknown-element", "Patient.colour"),
    ("patient", {"Gender": "male"}, "unknown-element", "Patient.Gender"),
    ("patient", {"name/0/famly": "x"}, "unknown-element", "Patient.name[0].famly"),
    ("patient", {"contact/0/name/x": 1}, "unknown-element", "Patient.contact[0].name.x"),
    ("patient", {"_name": [{"id": "a"}]}, "unknown-element", "Patient._name"),
    ("observation", {"component/0/referenceRange/0/x": 1},
     "unknown-element", "Observation.component[0].referenceRange[0].x"),
    ("bundle", {"entry/0/resource/x": 1}, "unknown-element", "Bundle.entry[0].resource.x"),
    ("parameters", {"parameter/0/resource/x": 1}, "unknown-element", "Parameters.parameter[0].resource.x"),
    ("observation", {"contained/0/x": 1}, "unknown-element", "Observation.contained[0].x"),
    ("patient", {"extension/0/x": 1}, "unknown-element", "Patient.extension[0].x"),
    ("patient", {"name": {"family": "x"}}, "json-shape", "Patient.name"),
    ("patient", {"name/0/given": "x"}, "json-shape", "Patient.name[0].given"),
    ("patient", {"name/0": "x"}, "json-shape", "Patient.name[0]"),
    ("patient", {"maritalStatus": [{"text": "x"}]}, "json-shape", "Patient.maritalStatus"),
    ("patient", {"maritalStatus": "M"}, "json-shape", "Patient.maritalStatus"),
    ("patient", {"gender": ["male"]}, "json-shape", "Patient.gender"),
    ("patient", {"birthDate": {"value": "1980"}}, "json-shape", "Patient.birthDate"),
    ("patient", {"_birthDate": "x"}, "json-shape", "Patient.birthDate"),
    ("patient", {"name/0/_given": {"id": "a"}}, "json-shape", "Patient.name[0].given"),
    ("questionnaire", {"item/0/item": {"linkId": "x"}}, "json-shape", "Questionnaire.item[0].item"),
    ("patient", {"maritalStatus": EMPTY}, "empty-object", "Patient.maritalStatus"),
    ("patient", {"name": []}, "empty-array", "Patient.name"),
    ("patient", {"name/0/given": []}, "empty-array", "Patient.name[0].given"),
    ("patient", {"name/0/family": ""}, "empty-string", "Patient.name[0].family"),
    ("patient", {"gender": None}, "null-value", "Patient.gender"),
    ("patient", {"maritalStatus": None}, "null-value", "Patient.maritalStatus"),
    ("patient", {"name/0/given": ["Camille", None]}, "null-value", "Patient.name[0].given[1]"),
    ("patient", {"name": [{"family": "x"}, None]}, "null-value", "Patient.name[1]"),
    ("patient", {"name/0/_given": [{"id": "a"}]}, "primitive-array-misaligned", "Patient.name[0].given"),
    ("patient", {"maritalStatus": {"id": "a"}}, "ele-1", "Patient.maritalStatus"),
    ("patient", {"deceasedDateTime": "2020"}, "choice-multiple", "Patient.deceased"),
    ("patient", {"_deceasedDateTime": {"id": "a", "extension": [{"url": "http://x.org", "valueCode": "x"}]}},
     "choice-multiple", "Patient.deceased"),
    ("patient", {"multipleBirthString": "x"}, "choice-type", "Patient.multipleBirthString"),
    ("observation", {"value": 1}, "choice-type", "Observation.value"),
    ("observation", {"component/0/valueMoney": {"value": 1}}, "choice-type", "Observation.component[0].valueMoney"),
    ("observation", {"contained/0/resourceType": "Devise"}, "resource-type-unknown", "Observation.contained[0]"),
    ("bundle", {"entry/0/resource/resourceType": GONE}, "resource-type-unknown", "Bundle.entry[0].resource"),
    ("bundle", {"entry/0/resource": []}, "json-shape", "Bundle.entry[0].resource"),
]  # fmt: skip

CARDINALITY: list[tuple[str, dict[str, Any], str, str]] = [
    ("observation", {"status": GONE}, "cardinality-min", "Observation.status"),
    ("observation", {"code": GONE}, "cardinality-min", "Observation.code"),
    ("observation", {"component/0/code": GONE}, "cardinality-min", "Observation.component[0].code"),
    ("patient", {"link/0/type": GONE}, "cardinality-min", "Patient.link[0].type"),
    ("patient", {"communication/0/language": GONE}, "cardinality-min", "Patient.communication[0].language"),
    ("patient", {"extension/0/url": GONE}, "cardinality-min", "Patient.extension[0].url"),
    ("patient", {"text/status": GONE}, "cardinality-min", "Patient.text.status"),
    ("questionnaire", {"item/0/item/0/linkId": GONE}, "cardinality-min", "Questionnaire.item[0].item[0].linkId"),
    ("questionnaire", {"item/0/item/0/enableWhen/0/answerInteger": GONE},
     "cardinality-min", "Questionnaire.item[0].item[0].enableWhen[0].answer"),
    ("medication_request", {"medicationCodeableConcept": GONE}, "cardinality-min", "MedicationRequest.medication"),
    ("bundle", {"entry/1/resource/status": GONE}, "cardinality-min", "Bundle.entry[1].resource.status"),
    ("bundle", {"entry/0/request/method": GONE}, "cardinality-min", "Bundle.entry[0].request.method"),
    ("capability", {"format": GONE}, "cardinality-min", "CapabilityStatement.format"),
]  # fmt: skip

PRIMITIVES: list[tuple[str, dict[str, Any], str, str]] = [
    ("patient", {"id": "A_B"}, "primitive-id", "Patient.id"),
    ("patient", {"id": "a" * 65}, "primitive-id", "Patient.id"),
    ("patient", {"active": "true"}, "primitive-boolean", "Patient.active"),
    ("patient", {"active": 1}, "primitive-boolean", "Patient.active"),
    ("patient", {"birthDate": "1980-02-30"}, "primitive-date", "Patient.birthDate"),
    ("patient", {"birthDate": "1981-02-29"}, "primitive-date", "Patient.birthDate"),
    ("patient", {"birthDate": "1980-13"}, "primitive-date", "Patient.birthDate"),
    ("patient", {"birthDate": "29/02/1980"}, "primitive-date", "Patient.birthDate"),
    ("patient", {"birthDate": "1980-02-29T10:00:00Z"}, "primitive-date", "Patient.birthDate"),
    ("patient", {"birthDate": 1980}, "primitive-date", "Patient.birthDate"),
    ("patient", {"name/0/given/1": 3}, "primitive-string", "Patient.name[0].given[1]"),
    ("patient", {"name/0/family": "a\u0000b"}, "primitive-string", "Patient.name[0].family"),
    ("patient", {"name/0/family": True}, "primitive-string", "Patient.name[0].family"),
    ("patient", {"telecom/0/rank": 0}, "primitive-positiveint", "Patient.telecom[0].rank"),
    ("patient", {"telecom/0/rank": Decimal("1.0")}, "primitive-positiveint", "Patient.telecom[0].rank"),
    ("patient", {"identifier/0/system": "a b"}, "primitive-uri", "Patient.identifier[0].system"),
    ("patient", {"meta/lastUpdated": "2024-01-01"}, "primitive-instant", "Patient.meta.lastUpdated"),
    ("patient", {"meta/profile": ["a b"]}, "primitive-canonical", "Patient.meta.profile[0]"),
    ("patient", {"address/0/period/start": "2020-1-1"}, "primitive-datetime", "Patient.address[0].period.start"),
    ("patient", {"multipleBirthInteger": 3_000_000_000}, "primitive-integer", "Patient.multipleBirth"),
    ("patient", {"maritalStatus/coding/0/code": " M"}, "primitive-code", "Patient.maritalStatus.coding[0].code"),
    ("patient", {"language": "fr  FR"}, "primitive-code", "Patient.language"),
    ("observation", {"effectiveDateTime": "2024-01-01T10:00:00"}, "primitive-datetime", "Observation.effective"),
    ("observation", {"effectiveDateTime": "2024-01-01T25:00:00Z"}, "primitive-datetime", "Observation.effective"),
    ("observation", {"issued": "2024-01-01T10:00Z"}, "primitive-instant", "Observation.issued"),
    ("observation", {"valueQuantity/value": "1.50"}, "primitive-decimal", "Observation.value.value"),
    ("observation", {"valueQuantity/value": True}, "primitive-decimal", "Observation.value.value"),
    ("attachment", {"content/0/attachment/data": "Zm9"},
     "primitive-base64binary", "DocumentReference.content[0].attachment.data"),
    ("attachment", {"content/0/attachment/size": -1},
     "primitive-unsignedint", "DocumentReference.content[0].attachment.size"),
    ("medication_request", {"dosageInstruction/0/timing/repeat/timeOfDay": ["24:00:00"]},
     "primitive-time", "MedicationRequest.dosageInstruction[0].timing.repeat.timeOfDay[0]"),
    ("bundle", {"entry/1/resource/subject/display": ""}, "empty-string", "Bundle.entry[1].resource.subject.display"),
]  # fmt: skip

MEANING: list[tuple[str, dict[str, Any], str, str]] = [
    ("patient", {"gender": "F"}, "binding-required", "Patient.gender"),
    ("patient", {"name/0/use": "birth"}, "binding-required", "Patient.name[0].use"),
    ("patient", {"link/0/type": "same"}, "binding-required", "Patient.link[0].type"),
    ("observation", {"status": "done"}, "binding-required", "Observation.status"),
    ("observation", {"valueQuantity/comparator": "=<"}, "binding-required", "Observation.value.comparator"),
    ("condition", {"clinicalStatus/coding/0/code": "acute"}, "binding-required", "Condition.clinicalStatus"),
    ("condition", {"clinicalStatus/coding/0/system": "http://x.org"}, "binding-required", "Condition.clinicalStatus"),
    ("condition", {"clinicalStatus": {"text": "active"}}, "binding-required", "Condition.clinicalStatus"),
    ("medication_request", {"dosageInstruction/0/timing/repeat/periodUnit": "day"},
     "binding-required", "MedicationRequest.dosageInstruction[0].timing.repeat.periodUnit"),
    ("capability", {"rest/0/mode": "both"}, "binding-required", "CapabilityStatement.rest[0].mode"),
    ("patient", {"managingOrganization/reference": "Patient/p1"},
     "reference-target-type", "Patient.managingOrganization"),
    ("patient", {"managingOrganization": {"reference": "https://x.org/fhir/Group/1/_history/2"}},
     "reference-target-type", "Patient.managingOrganization"),
    ("patient", {"managingOrganization": {"type": "Patient", "display": "x"}},
     "reference-target-type", "Patient.managingOrganization"),
    ("observation", {"performer/0/reference": "Device/1"}, "reference-target-type", "Observation.performer[0]"),
    ("observation", {"subject": {"reference": "#d2"}}, "ref-1", "Observation.subject"),
    ("observation", {"subject/type": "Group"}, "reference-type-differs", "Observation.subject.type"),
    ("bundle", {"entry/0/resource": {"resourceType": "Practitioner"}},
     "reference-target-type", "Bundle.entry[1].resource.subject"),
    ("patient", {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]},
     "modifier-extension-unknown", "Patient.modifierExtension[0].url"),
    ("patient", {"extension/0/valueString": GONE, "extension/0/id": "a"}, "ext-1", "Patient.extension[0]"),
    ("patient", {"extension/0/extension": [{"url": "a", "valueCode": "b"}]}, "ext-1", "Patient.extension[0]"),
    ("patient", {"extension/0/url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"},
     "choice-type", "Patient.extension[0].value"),
    ("patient", {"extension": nested_extensions(70)}, "depth", "Patient" + ".extension[0]" * 65),
    ("patient", {"text/div": "<div>x</div>"}, "xhtml-root", "Patient.text.div"),
    ("patient", {"text/div": XHTML.format("<p>x")}, "xhtml-syntax", "Patient.text.div"),
    ("patient", {"text/div": XHTML.format("<script>x</script>")}, "txt-1", "Patient.text.div"),
    ("patient", {"text/div": XHTML.format('<p onclick="x()">x</p>')}, "txt-1", "Patient.text.div"),
    ("patient", {"text/div": XHTML.format('<a href="javascript:x()">x</a>')}, "txt-1", "Patient.text.div"),
    ("patient", {"text/div": "<!DOCTYPE div [<!ENTITY a 'b'>]>" + XHTML.format("&a;")}, "txt-1", "Patient.text.div"),
    ("patient", {"text/div": XHTML.format("&nothing;")}, "txt-1", "Patient.text.div"),
    ("patient", {"text/div": XHTML.format("<p id='a'>x</p><p id='a'>y</p>")}, "xhtml-id", "Patient.text.div"),
    ("observation", {"contained/1": {"resourceType": "Device", "id": "d1"}},
     "contained-id", "Observation.contained[1].id"),
]  # fmt: skip

CONSTRAINTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("patient", {"address/0/period/end": "2019"}, "per-1", "Patient.address[0].period"),
    ("patient", {"telecom/0/system": GONE}, "cpt-2", "Patient.telecom[0]"),
    ("patient", {"contact/0": {"gender": "male"}}, "pat-1", "Patient.contact[0]"),
    ("observation", {"dataAbsentReason": {"text": "x"}}, "obs-6", "Observation"),
    ("observation", {"component/0/code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}},
     "obs-7", "Observation"),
    ("observation", {"referenceRange/0": {"type": {"text": "x"}}}, "obs-3", "Observation.referenceRange[0]"),
    ("observation", {"component/0/referenceRange/0": {"type": {"text": "x"}}},
     "obs-3", "Observation.component[0].referenceRange[0]"),
    ("observation", {"valueQuantity/system": GONE}, "qty-3", "Observation.value"),
    ("observation", {"referenceRange/0/low": {"value": 1, "comparator": "<"}},
     "cardinality-max", "Observation.referenceRange[0].low.comparator"),
    ("observation", {"device": GONE}, "dom-3", "Observation"),
    ("observation", {"contained/0/meta": {"versionId": "1"}}, "dom-4", "Observation"),
    ("observation", {"contained/0/meta": {"security": [{"code": "R"}]}}, "dom-5", "Observation"),
    ("condition", {"clinicalStatus/coding/0/code": "active", "abatementDateTime": "2020"}, "con-4", "Condition"),
    ("questionnaire", {"item/0/item/0/linkId": "1"}, "que-2", "Questionnaire"),
    ("questionnaire", {"item/0/item/0/type": "display", "item/0/item/0/required": True},
     "que-6", "Questionnaire.item[0].item[0]"),
    ("medication_request", {"dosageInstruction/0/timing/repeat/periodUnit": GONE},
     "tim-2", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    ("attachment", {"content/0/attachment/contentType": GONE}, "att-1", "DocumentReference.content[0].attachment"),
    ("bundle", {"total": 2}, "bdl-1", "Bundle"),
    ("bundle", {"entry/1/fullUrl": "https://x.org/Encounter/1/_history/1"}, "bdl-8", "Bundle.entry[1]"),
    ("bundle", {"entry/0/fullUrl": "https://x.org/P/1", "entry/1/fullUrl": "https://x.org/P/1"}, "bdl-7", "Bundle"),
]  # fmt: skip

FAULTS = [*STRUCTURE, *CARDINALITY, *PRIMITIVES, *MEANING, *CONSTRAINTS]


@pytest.mark.parametrize("name", SOUND)
def test_sound_resource_has_no_finding(r4_validator: Validator, name: str) -> None:
    assert r4_validator.validate(SOUND[name]) == []


@pytest.mark.parametrize(("base", "edits", "rule", "expression"), FAULTS)
def test_single_fault_is_found_at_its_place(
    r4_validator: Validator, base: str, edits: dict[str, Any], rule: str, expression: str
) -> None:
    errors = [issue for issue in r4_validator.validate(edited(base, edits)) if issue.is_error]
    assert [(issue.rule, issue.expression) for issue in errors] == [(rule, expression)]


def test_table_has_more_than_a_hundred_faults() -> None:
    assert len(FAULTS) > 100


def test_all_faults_of_one_resource_are_found_at_once(r4_validator: Validator) -> None:
    edits = {"gender": "F", "birthDate": "1980-02-30", "name/0/famly": "x", "link/0/type": GONE}
    found = {(issue.rule, issue.expression) for issue in r4_validator.validate(edited("patient", edits))}
    assert found == {
        ("binding-required", "Patient.gender"),
        ("primitive-date", "Patient.birthDate"),
        ("unknown-element", "Patient.name[0].famly"),
        ("cardinality-min", "Patient.link[0].type"),
    }


@pytest.mark.parametrize(
    "edits",
    [
        {"name/0/given": ["Camille", None], "name/0/_given": [None, {"id": "a", "extension": [
            {"url": "http://x.org", "valueCode": "x"}]}]},
        {"birthDate": GONE, "_birthDate": {"extension": [{"url": "http://x.org", "valueCode": "unknown"}]}},
        {"link/0/type": GONE, "link/0/_type": {"extension": [{"url": "http://x.org", "valueCode": "unknown"}]}},
        {"name/0/family": "\u00a0De\tLa\nTour"},
        {"text/div": XHTML.format("<table><tr><td colspan='2'>&eacute;&nbsp;&#233;</td></tr></table>")},
        {"managingOrganization": {"identifier": {"value": "1"}}},
        {"managingOrganization": {"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239521"}},
        {"extension": nested_extensions(40)},
    ],
)  # fmt: skip
def test_unusual_but_sound_patient_has_no_finding(r4_validator: Validator, edits: dict[str, Any]) -> None:
    assert r4_validator.validate(edited("patient", edits)) == []


@pytest.mark.parametrize("body", [None, [], "Patient", 1, {}, {"resourceType": "DomainResource"}, {"resourceType": 1}])
def test_what_is_no_resource_is_refused(r4_validator: Validator, body: Any) -> None:
    assert [issue.is_error for issue in r4_validator.validate(body)] == [True]


def test_sentences_name_place_and_choices_in_both_languages(r4_validator: Validator) -> None:
    (issue,) = r4_validator.validate(edited("patient", {"gender": "F"}))
    for text in (issue.english, issue.french):
        assert "`F`" in text
        assert "`Patient.gender`" in text
        assert "`male`, `female`, `other`, `unknown`" in text


def test_unknown_element_names_the_nearest(r4_validator: Validator) -> None:
    (issue,) = r4_validator.validate(edited("patient", {"name/0/famly": "x"}))
    assert "`family`" in issue.english


@pytest.mark.parametrize(
    ("base", "edits", "rule", "expression"),
    [
        ("patient", {"name/0/family": " \n"}, "string-blank", "Patient.name[0].family"),
        ("patient", {"text/div": XHTML.format("<a href='#b'>x</a>")}, "xhtml-link", "Patient.text.div"),
    ],
)
def test_doubtful_text_is_a_warning(
    r4_validator: Validator, base: str, edits: dict[str, Any], rule: str, expression: str
) -> None:
    for _ in range(2):
        found = r4_validator.validate(edited(base, edits))
        assert [(i.severity, i.rule, i.expression) for i in found] == [("warning", rule, expression)]


@pytest.mark.parametrize(
    ("base", "edits"),
    [
        ("patient", {"text/div": XHTML.format("<a href='#b'>x</a><p id='b'>y</p>")}),
        ("patient", {"text/div": XHTML.format("<a href='#b'>x</a><a name='b'>y</a>")}),
        ("patient", {"text/div": XHTML.format("<a href='#n1'>x</a>"), "name/0/id": "n1"}),
        ("patient", {"text/div": XHTML.format("<a href='https://example.org#b'>x</a><a href='#'>y</a>")}),
        ("observation", {"text": {"status": "generated", "div": XHTML.format("<img src='#d1'/>")}}),
    ],
)
def test_links_of_a_narrative_lead_somewhere(r4_validator: Validator, base: str, edits: dict[str, Any]) -> None:
    assert r4_validator.validate(edited(base, edits)) == []


def test_unknown_modifier_extension_of_basic_is_a_warning(r4_validator: Validator) -> None:
    basic = {
        "resourceType": "Basic",
        "code": {"text": "x"},
        "modifierExtension": [{"url": "http://x.org", "valueCode": "x"}],
    }
    assert [(i.severity, i.rule) for i in r4_validator.validate(basic)] == [("warning", "modifier-extension-unknown")]
