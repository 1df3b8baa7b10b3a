"""Constraints of R4 that trying does not break: for each a small valid resource, and the edit that breaks it alone.

A key of an edit is a path of names and indexes with `/`; GONE takes away.
"""

from __future__ import annotations

from typing import Any

from tests.unit.validation.faults import GONE

Edits = dict[str, Any]
Row = tuple[str, dict[str, Any], Edits, str]
"""Rule, valid resource, edits, place."""
UCUM = "http://unitsofmeasure.org"
VER_STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
PATIENT = {"reference": "Patient/1"}
TEXT = {"text": "x"}
PNG = {"coding": [{"system": "http://example.org/s", "code": "1"}]}


def definition(resource_type: str, **more: Any) -> dict[str, Any]:
    """Returns what most definitions require."""
    return {"resourceType": resource_type, "status": "draft", **more}


CONDITION = {
    "resourceType": "Condition",
    "subject": PATIENT,
    "verificationStatus": {"coding": [{"system": VER_STATUS, "code": "entered-in-error"}]},
    "stage": [{"summary": TEXT, "type": TEXT}],
    "evidence": [{"code": [TEXT], "id": "a"}],
}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "a"}]},
    "valueString": "x",
    "component": [{"code": {"coding": [{"system": "http://loinc.org", "code": "b"}]}}],
    "referenceRange": [{"type": TEXT, "text": "x"}],
}
DEVICE = {"resourceType": "Device", "id": "d"}
CONTAINED = {"resourceType": "Basic", "code": TEXT, "contained": [DEVICE], "subject": {"reference": "#d"}}
QUESTIONNAIRE = definition(
    "Questionnaire",
    item=[
        {"linkId": "d", "type": "display", "text": "x"},
        {"linkId": "c", "type": "choice", "answerOption": [{"valueString": "x"}]},
        {
            "linkId": "t",
            "type": "string",
            "enableWhen": [{"question": "c", "operator": "exists", "answerBoolean": True}],
        },
        {"linkId": "i", "type": "integer", "initial": [{"valueInteger": 1}]},
    ],
)
WHEN = {"question": "c", "operator": "exists", "answerBoolean": True}
CAPABILITY = definition(
    "CapabilityStatement",
    date="2024",
    kind="instance",
    fhirVersion="4.0.1",
    format=["json"],
    implementation={"description": "x"},
    rest=[{"mode": "server", "resource": [{"type": "Patient", "searchParam": [{"name": "a", "type": "token"}]}]}],
    messaging=[{"endpoint": [{"protocol": {"code": "http"}, "address": "http://example.org"}]}],
    document=[{"mode": "producer", "profile": "http://example.org/p"}],
)
LIST = {"resourceType": "List", "status": "current", "mode": "changes", "entry": [{"item": TEXT and {"display": "x"}}]}
VALUE_SET = definition(
    "ValueSet",
    compose={"include": [{"system": "http://example.org/s", "concept": [{"code": "a"}]}]},
    expansion={"timestamp": "2024", "contains": [{"system": "http://example.org/s", "code": "a", "display": "x"}]},
)
REPEAT = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": PATIENT,
          "occurrenceTiming": {"repeat": {"duration": 1, "durationUnit": "h", "timeOfDay": ["10:00:00"]}}}  # fmt: skip
ELEMENT = {"id": "Patient.name", "path": "Patient.name", "min": 0, "max": "1"}
PROFILE = definition(
    "StructureDefinition",
    url="http://example.org/p",
    name="P",
    kind="resource",
    abstract=False,
    type="Patient",
    baseDefinition="http://hl7.org/fhir/StructureDefinition/Patient",
    derivation="constraint",
    mapping=[{"identity": "m", "name": "x"}],
    differential={
        "element": [
            {"id": "Patient", "path": "Patient"},
            {
                **ELEMENT,
                "slicing": {"rules": "open", "discriminator": [{"type": "value", "path": "use"}]},
                "constraint": [{"key": "k-1", "severity": "error", "human": "x", "expression": "true"}],
            },
            {
                "id": "Patient.gender",
                "path": "Patient.gender",
                "type": [{"code": "code"}],
                "binding": {"strength": "required", "valueSet": "http://example.org/v"},
            },
        ]
    },
)
AT_NAME, AT_GENDER = "StructureDefinition.differential.element[1]", "StructureDefinition.differential.element[2]"
SNAPSHOT = {
    **{key: value for key, value in PROFILE.items() if key != "differential"},
    "snapshot": {
        "element": [
            {"id": path, "path": path, "min": 0, "max": "*", "definition": "x",
             "base": {"path": path, "min": 0, "max": "*"}}
            for path in ("Patient", "Patient.name", "Patient.gender")
        ]
    },
}  # fmt: skip
TEST_SCRIPT = definition(
    "TestScript",
    url="http://example.org/t",
    name="T",
    variable=[{"name": "v", "expression": "x"}],
    setup={"action": [{"operation": {"encodeRequestUrl": True, "params": "x"}}]},
    test=[
        {
            "action": [
                {"operation": {"encodeRequestUrl": True, "params": "x"}},
                {"assert": {"warningOnly": False, "response": "okay"}},
            ]
        }
    ],
    teardown={"action": [{"operation": {"encodeRequestUrl": True, "params": "x"}}]},
)
MAP = definition(
    "ConceptMap", group=[{"element": [{"code": "a", "target": [{"code": "b", "equivalence": "equal"}]}],
                          "unmapped": {"mode": "provided"}}])  # fmt: skip
RISK = {
    "resourceType": "RiskAssessment",
    "status": "final",
    "subject": PATIENT,
    "prediction": [{"outcome": TEXT, "probabilityDecimal": 5}],
}
RULE = {"name": "r", "source": [{"context": "s"}], "target": [{"context": "t", "contextType": "variable"}]}
STRUCTURE_MAP = definition(
    "StructureMap",
    url="http://example.org/m",
    name="M",
    group=[{"name": "g", "typeMode": "none", "input": [{"name": "s", "mode": "source"}], "rule": [RULE]}],
)
TERMINOLOGY = definition(
    "TerminologyCapabilities",
    date="2024",
    kind="requirements",
    description="x",
    codeSystem=[{"uri": "http://example.org/s", "version": [{"code": "1"}]}],
)
DOCUMENT: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "identifier": {"system": "http://example.org/b", "value": "1"},
    "timestamp": "2024-01-01T00:00:00Z",
    "entry": [
        {"fullUrl": "http://example.org/Basic/1", "resource": {"resourceType": "Basic", "id": "1", "code": TEXT}}
    ],
}
DATA = {"resourceType": "Library", "status": "draft", "type": TEXT,
        "dataRequirement": [{"type": "Patient", "codeFilter": [{"path": "a"}],
                             "dateFilter": [{"path": "a"}]}]}  # fmt: skip

ROWS: list[Row] = [
    ("dom-2", {"resourceType": "Device", "contained": [DEVICE], "parent": {"reference": "#d"}},
     {"contained/0/contained": [{**DEVICE, "parent": {"reference": "#"}}]}, "Device"),
    ("dom-3", CONTAINED, {"subject": GONE}, "Basic"),
    ("dom-4", CONTAINED, {"contained/0/meta": {"versionId": "1"}}, "Basic"),
    ("dom-4", CONTAINED, {"contained/0/meta": {"lastUpdated": "2024-01-01T00:00:00Z"}}, "Basic"),
    ("dom-5", CONTAINED, {"contained/0/meta": {"security": [RESTRICTED]}}, "Basic"),
    ("ait-2", {"resourceType": "AllergyIntolerance", "patient": PATIENT,
               "verificationStatus": {"coding": [{"system": ALLERGY, "code": "entered-in-error"}]}},
     {"clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                                     "code": "active"}]}}, "AllergyIntolerance"),
    ("app-2", {"resourceType": "Appointment", "status": "proposed", "participant": [{"actor": PATIENT,
               "status": "accepted"}]}, {"start": "2024-01-01T10:00:00Z"}, "Appointment"),
    ("app-3", {"resourceType": "Appointment", "status": "proposed", "participant": [{"actor": PATIENT,
               "status": "accepted"}]}, {"status": "booked"}, "Appointment"),
    ("app-1", {"resourceType": "Appointment", "status": "proposed", "participant": [{"actor": PATIENT,
               "status": "accepted"}]}, {"participant/0/actor": GONE}, "Appointment.participant[0]"),
    ("sev-1", {"resourceType": "AuditEvent", "type": {"code": "x"}, "recorded": "2024-01-01T10:00:00Z",
               "agent": [{"requestor": True}], "source": {"observer": {"display": "x"}}, "entity": [{"name": "x"}]},
     {"entity/0/query": "Zm9v"}, "AuditEvent.entity[0]"),
    ("bdl-5", DOCUMENT, {"entry/0": {"fullUrl": "http://example.org/Basic/1"}}, "Bundle.entry[0]"),
    ("bdl-8", DOCUMENT, {"entry/0/fullUrl": "http://example.org/Basic/1/_history/1"}, "Bundle.entry[0]"),
    ("bdl-12", DOCUMENT, {"type": "message"}, "Bundle"),
    ("bdl-2", DOCUMENT, {"entry/0/search": {"mode": "match"}}, "Bundle"),
    ("cpb-3", CAPABILITY, {"kind": "capability", "software": {"name": "x"}, "implementation": GONE},
     "CapabilityStatement"),
    ("cpb-7", CAPABILITY, {"document/1": {"mode": "producer", "profile": "http://example.org/p"}},
     "CapabilityStatement"),
    ("cpb-9", CAPABILITY, {"rest/0/resource/1": {"type": "Patient"}}, "CapabilityStatement.rest[0]"),
    ("cpb-12", CAPABILITY, {"rest/0/resource/0/searchParam/1": {"name": "a", "type": "date"}},
     "CapabilityStatement.rest[0].resource[0]"),
    ("cmp-2", {"resourceType": "Composition", "status": "final", "type": TEXT, "date": "2024", "title": "x",
               "author": [{"display": "x"}], "section": [{"title": "x", "entry": [{"display": "x"}]}]},
     {"section/0/emptyReason": TEXT}, "Composition.section[0]"),
    ("cmp-1", {"resourceType": "Composition", "status": "final", "type": TEXT, "date": "2024", "title": "x",
               "author": [{"display": "x"}], "section": [{"title": "x", "entry": [{"display": "x"}]}]},
     {"section/0/entry": GONE}, "Composition.section[0]"),
    ("cmd-2", MAP, {"group/0/unmapped/mode": "fixed"}, "ConceptMap.group[0].unmapped"),
    ("cmd-3", MAP, {"group/0/unmapped/mode": "other-map"}, "ConceptMap.group[0].unmapped"),
    ("cmd-1", MAP, {"group/0/element/0/target/0/equivalence": "narrower"},
     "ConceptMap.group[0].element[0].target[0]"),
    ("con-5", CONDITION, {"clinicalStatus": {"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}}, "Condition"),
    ("con-1", CONDITION, {"stage/0/summary": GONE}, "Condition.stage[0]"),
    ("ces-1", {"resourceType": "CoverageEligibilityResponse", "status": "active", "purpose": ["benefits"],
               "patient": PATIENT, "created": "2024", "request": {"display": "x"}, "insurer": {"display": "x"},
               "outcome": "complete", "insurance": [{"coverage": {"display": "x"}, "item": [{"category": TEXT}]}]},
     {"insurance/0/item/0/productOrService": TEXT}, "CoverageEligibilityResponse.insurance[0].item[0]"),
    ("drq-1", DATA, {"dataRequirement/0/codeFilter/0/searchParam": "x"}, "Library.dataRequirement[0].codeFilter[0]"),
    ("drq-2", DATA, {"dataRequirement/0/dateFilter/0/searchParam": "x"}, "Library.dataRequirement[0].dateFilter[0]"),
    ("eld-1", PROFILE, {"differential/element/1/slicing/discriminator": GONE}, f"{AT_NAME}.slicing"),
    ("eld-2", PROFILE, {"differential/element/1/min": 2}, AT_NAME),
    ("eld-3", PROFILE, {"differential/element/1/max": "-1", "differential/element/1/min": GONE}, f"{AT_NAME}.max"),
    ("eld-6", PROFILE, {"differential/element/2": {"id": "Patient.x", "path": "Patient.x", "fixedCode": "a",
                        "type": [{"code": "code"}, {"code": "Coding"}]}}, AT_GENDER),
    ("eld-7", PROFILE, {"differential/element/2": {"id": "Patient.x", "path": "Patient.x", "patternCode": "a",
                        "type": [{"code": "code"}, {"code": "Coding"}]}}, AT_GENDER),
    ("eld-8", PROFILE, {"differential/element/2/fixedCode": "a", "differential/element/2/patternCode": "a"}, AT_GENDER),
    ("eld-12", PROFILE, {"differential/element/2/binding/valueSet": "v"}, f"{AT_GENDER}.binding"),
    ("eld-13", PROFILE, {"differential/element/2/type/1": {"code": "code"}}, AT_GENDER),
    ("eld-14", PROFILE, {"differential/element/1/constraint/1":
                         {"key": "k-1", "severity": "error", "human": "y", "expression": "true"}}, AT_NAME),
    ("eld-16", PROFILE, {"differential/element/2/sliceName": "a b"}, AT_GENDER),
    ("eld-18", PROFILE, {"differential/element/2/isModifier": True}, AT_GENDER),
    ("eld-22", PROFILE, {"differential/element/2/sliceIsConstraining": True}, AT_GENDER),
    ("eld-4", PROFILE, {"differential/element/2/type/0/aggregation": ["bundled"]}, f"{AT_GENDER}.type[0]"),
    ("eld-17", PROFILE, {"differential/element/2/type/0/targetProfile": ["http://example.org/p"]},
     f"{AT_GENDER}.type[0]"),
    ("sdf-2", PROFILE, {"mapping/0/name": GONE, "mapping/0/comment": "x"}, "StructureDefinition.mapping[0]"),
    ("sdf-4", PROFILE, {"baseDefinition": GONE}, "StructureDefinition"),
    ("sdf-5", PROFILE, {"type": "Extension", "differential": {"element": [{"id": "Extension", "path": "Extension"}]}},
     "StructureDefinition"),
    ("sdf-6", PROFILE, {"differential": GONE}, "StructureDefinition"),
    ("sdf-17", PROFILE, {"differential/element/2/id": "Patient.name"}, "StructureDefinition"),
    ("sdf-18", PROFILE, {"contextInvariant": ["true"]}, "StructureDefinition"),
    ("sdf-1", {**SNAPSHOT, "derivation": "specialization"},
     {"snapshot/element/2/path": "Patient.name"}, "StructureDefinition"),
    ("sdf-16", SNAPSHOT, {"snapshot/element/2/id": "Patient.name"}, "StructureDefinition"),
    ("sdf-3", SNAPSHOT, {"snapshot/element/2/definition": GONE}, "StructureDefinition.snapshot"),
    ("sdf-8b", SNAPSHOT, {"snapshot/element/2/base": GONE}, "StructureDefinition.snapshot"),
    ("sdf-15", SNAPSHOT, {"snapshot/element/0/type": [{"code": "Patient"}]}, "StructureDefinition"),
    ("sdf-10", SNAPSHOT, {"snapshot/element/2/binding": {"strength": "example"}},
     "StructureDefinition.snapshot.element[2]"),
    ("fhs-1", {"resourceType": "FamilyMemberHistory", "status": "partial", "patient": PATIENT, "relationship": TEXT,
               "ageString": "x"}, {"bornDate": "1950"}, "FamilyMemberHistory"),
    ("fhs-2", {"resourceType": "FamilyMemberHistory", "status": "partial", "patient": PATIENT, "relationship": TEXT,
               "ageString": "x", "estimatedAge": True}, {"ageString": GONE}, "FamilyMemberHistory"),
    ("gol-1", {"resourceType": "Goal", "lifecycleStatus": "active", "description": TEXT, "subject": PATIENT,
               "target": [{"measure": TEXT, "detailString": "x"}]}, {"target/0/measure": GONE}, "Goal.target[0]"),
    ("grp-1", {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": PATIENT}]},
     {"actual": False}, "Group"),
    ("imm-1", {"resourceType": "Immunization", "status": "completed", "vaccineCode": TEXT, "patient": PATIENT,
               "occurrenceString": "x", "education": [{"documentType": "x", "publicationDate": "2024"}]},
     {"education/0/documentType": GONE}, "Immunization.education[0]"),
    ("lnk-1", {"resourceType": "Linkage", "item": [{"type": "source", "resource": PATIENT},
                                                   {"type": "alternate", "resource": PATIENT}]},
     {"item/1": GONE}, "Linkage"),
    ("lst-1", LIST, {"emptyReason": TEXT}, "List"),
    ("lst-2", {**LIST, "mode": "working"}, {"entry/0/deleted": True}, "List"),
    ("lst-3", LIST, {"entry/0/date": "2024"}, "List"),
    ("mea-1", {"resourceType": "Measure", "status": "draft", "group": [{"stratifier": [{"code": TEXT}]}]},
     {"group/0/stratifier/0/component": [{"criteria": {"language": "text/cql", "expression": "x"}}]}, "Measure"),
    ("mdd-1", {"resourceType": "MedicationDispense", "status": "completed", "medicationCodeableConcept": TEXT,
               "whenPrepared": "2024-01-02", "whenHandedOver": "2024-01-03"}, {"whenHandedOver": "2024-01-01"},
     "MedicationDispense"),
    ("md-1", definition("MessageDefinition", date="2024", eventUri="http://example.org/e",
                        focus=[{"code": "Patient", "min": 0, "max": "1"}]), {"focus/0/max": "0"},
     "MessageDefinition.focus[0]"),
    ("nsd-1", definition("NamingSystem", name="N", kind="identifier", date="2024",
                         uniqueId=[{"type": "uuid", "value": "c757873d-ec9a-4326-a141-556f43239520"}]),
     {"kind": "root"}, "NamingSystem"),
    ("nsd-2", definition("NamingSystem", name="N", kind="identifier", date="2024",
                         uniqueId=[{"type": "uri", "value": "http://example.org/a", "preferred": True}]),
     {"uniqueId/1": {"type": "uri", "value": "http://example.org/b", "preferred": True}}, "NamingSystem"),
    ("obs-3", OBSERVATION, {"referenceRange/0/text": GONE}, "Observation.referenceRange[0]"),
    ("obs-6", OBSERVATION, {"dataAbsentReason": TEXT}, "Observation"),
    ("obs-7", OBSERVATION, {"component/0/code/coding/0/code": "a"}, "Observation"),
    ("pat-1", {"resourceType": "Patient", "contact": [{"gender": "male", "name": {"text": "x"}}]},
     {"contact/0/name": GONE}, "Patient.contact[0]"),
    ("que-3", QUESTIONNAIRE, {"item/0/code": [{"code": "x"}]}, "Questionnaire.item[0]"),
    ("que-4", QUESTIONNAIRE, {"item/1/answerValueSet": "http://example.org/v"}, "Questionnaire.item[1]"),
    ("que-6", QUESTIONNAIRE, {"item/0/repeats": True}, "Questionnaire.item[0]"),
    ("que-9", QUESTIONNAIRE, {"item/0/readOnly": True}, "Questionnaire.item[0]"),
    ("que-10", QUESTIONNAIRE, {"item/1/maxLength": 3}, "Questionnaire.item[1]"),
    ("que-11", QUESTIONNAIRE, {"item/1/initial": [{"valueString": "x"}]}, "Questionnaire.item[1]"),
    ("que-12", QUESTIONNAIRE, {"item/2/enableWhen": [WHEN] * 3}, "Questionnaire.item[2]"),
    ("que-13", QUESTIONNAIRE, {"item/3/initial/1": {"valueInteger": 2}}, "Questionnaire.item[3]"),
    ("que-2", QUESTIONNAIRE, {"item/3/linkId": "t"}, "Questionnaire"),
    ("que-7", QUESTIONNAIRE, {"item/2/enableWhen/0": {"question": "c", "operator": "exists", "answerInteger": 1}},
     "Questionnaire.item[2].enableWhen[0]"),
    ("ras-2", RISK, {"prediction/0/probabilityDecimal": 101}, "RiskAssessment.prediction[0]"),
    ("ras-1", {**RISK, "prediction": [{"outcome": TEXT, "probabilityRange": {"low": {"value": 1, "system": UCUM,
                                                                                    "code": "%"}}}]},
     {"prediction/0/probabilityRange/low/code": "g"}, "RiskAssessment.prediction[0].probability"),
    ("spd-1", definition("SearchParameter", url="http://example.org/s", name="S", description="x", code="x",
                         base=["Patient"], type="token", expression="x", xpath="x", xpathUsage="normal"),
     {"xpathUsage": GONE}, "SearchParameter"),
    ("spd-2", definition("SearchParameter", url="http://example.org/s", name="S", description="x", code="x",
                         base=["Patient"], type="token", expression="x"), {"chain": ["x"]}, "SearchParameter"),
    ("smp-1", STRUCTURE_MAP, {"group/0/rule/0/target/0": {"element": "x"}}, "StructureMap.group[0].rule[0].target[0]"),
    ("smp-2", STRUCTURE_MAP, {"group/0/rule/0/target/0/contextType": GONE},
     "StructureMap.group[0].rule[0].target[0]"),
    ("tcp-2", TERMINOLOGY, {"description": GONE}, "TerminologyCapabilities"),
    ("tcp-1", TERMINOLOGY, {"codeSystem/0/version": [{"code": "1"}, {"isDefault": True}]},
     "TerminologyCapabilities.codeSystem[0]"),
    ("inv-1", {"resourceType": "TestReport", "status": "completed", "testScript": {"display": "x"}, "result": "pass",
               "setup": {"action": [{"operation": {"result": "pass"}}]}},
     {"setup/action/0/assert": {"result": "pass"}}, "TestReport.setup.action[0]"),
    ("inv-2", {"resourceType": "TestReport", "status": "completed", "testScript": {"display": "x"}, "result": "pass",
               "test": [{"action": [{"operation": {"result": "pass"}}]}]},
     {"test/0/action/0/assert": {"result": "pass"}}, "TestReport.test[0].action[0]"),
    ("tst-3", TEST_SCRIPT, {"variable/0/headerField": "x", "variable/0/path": "x"}, "TestScript.variable[0]"),
    ("tst-1", TEST_SCRIPT, {"setup/action/0/assert": {"warningOnly": False, "response": "okay"}},
     "TestScript.setup.action[0]"),
    ("tst-2", TEST_SCRIPT, {"test/0/action/0/assert": {"warningOnly": False, "response": "okay"}},
     "TestScript.test[0].action[0]"),
    ("tst-7", TEST_SCRIPT, {"setup/action/0/operation/params": GONE}, "TestScript.setup.action[0].operation"),
    ("tst-8", TEST_SCRIPT, {"test/0/action/0/operation/params": GONE}, "TestScript.test[0].action[0].operation"),
    ("tst-9", TEST_SCRIPT, {"teardown/action/0/operation/params": GONE}, "TestScript.teardown.action[0].operation"),
    ("tst-6", TEST_SCRIPT, {"test/0/action/1/assert/minimumId": "x"}, "TestScript.test[0].action[1].assert"),
    ("tst-13", TEST_SCRIPT, {"test/0/action/1/assert/direction": "request"}, "TestScript.test[0].action[1].assert"),
    ("tim-10", REPEAT, {"occurrenceTiming/repeat/when": ["MORN"]}, "ServiceRequest.occurrence.repeat"),
    ("tim-1", REPEAT, {"occurrenceTiming/repeat/durationUnit": GONE}, "ServiceRequest.occurrence.repeat"),
    ("tim-4", REPEAT, {"occurrenceTiming/repeat/duration": -1}, "ServiceRequest.occurrence.repeat"),
    ("vsd-1", VALUE_SET, {"compose/include/0": {"version": "1"}}, "ValueSet.compose.include[0]"),
    ("vsd-2", VALUE_SET, {"compose/include/0/system": GONE, "compose/include/0/valueSet": ["http://example.org/w"]},
     "ValueSet.compose.include[0]"),
    ("vsd-3", VALUE_SET, {"compose/include/0/filter": [{"property": "x", "op": "=", "value": "x"}]},
     "ValueSet.compose.include[0]"),
    ("vsd-10", VALUE_SET, {"expansion/contains/0/system": GONE}, "ValueSet.expansion.contains[0]"),
    ("vsd-9", VALUE_SET, {"expansion/contains/0/code": GONE}, "ValueSet.expansion.contains[0]"),
]  # fmt: skip
