"""What `_summary` and `_elements` leave. https://hl7.org/fhir/R4/search.html#summary"""

from typing import Any

import pytest

from fhir_server.errors import InvalidContent
from fhir_server.spec.subset import SUBSETTED, WHOLE, Subset, is_subsetted, subset_of_read

Resource = dict[str, Any]
PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p",
    "meta": {"versionId": "1", "tag": [{"code": "x"}]},
    "implicitRules": "urn:rules",
    "language": "fr",
    "text": {"status": "empty", "div": '<div xmlns="http://www.w3.org/1999/xhtml">-</div>'},
    "extension": [{"url": "urn:e", "valueString": "e"}],
    "modifierExtension": [{"url": "urn:m", "valueString": "m"}],
    "active": True,
    "name": [{"id": "n", "family": "Martin", "given": ["Ana", None], "_given": [None, {"id": "g"}]}],
    "birthDate": "1970-03",
    "_birthDate": {"extension": [{"url": "urn:b", "valueString": "b"}]},
    "_deceasedBoolean": {"extension": [{"url": "urn:unknown", "valueCode": "unknown"}]},
    "address": [{"extension": [{"url": "urn:absent", "valueCode": "unknown"}]}],
    "contact": [{"name": {"text": "C"}}],
    "communication": [{"language": {"text": "fr"}}],
    "link": [{"other": {"reference": "Patient/q"}, "type": "refer"}],
}
GROUP: Resource = {
    "resourceType": "Group",
    "id": "g",
    "text": {"status": "empty", "div": "<div/>"},
    "type": "person",
    "actual": True,
    "name": "G",
    "quantity": 1,
    "member": [{"entity": {"reference": "Patient/p"}}],
}
OBSERVATION: Resource = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "c"},
    "valueQuantity": {"value": 1},
    "component": [{"id": "x", "code": {"text": "c"}, "valueString": "v", "interpretation": [{"text": "i"}]}],
}
ALWAYS = {"resourceType", "id", "meta", "implicitRules", "modifierExtension"}


@pytest.mark.parametrize(
    ("resource", "subset", "left"),
    [
        (PATIENT, Subset("text"), {*ALWAYS, "text"}),
        (GROUP, Subset("text"), {"resourceType", "id", "meta", "text", "type", "actual"}),
        (PATIENT, Subset("data"), set(PATIENT) - {"text"}),
        (
            PATIENT,
            Subset("true"),
            {*ALWAYS, "active", "name", "birthDate", "_deceasedBoolean", "address", "link"},
        ),
        (GROUP, Subset("true"), {"resourceType", "id", "meta", "type", "actual", "name", "quantity"}),
        (PATIENT, WHOLE.with_elements("birthDate,name", ["Patient"]), {*ALWAYS, "birthDate", "_birthDate", "name"}),
        (GROUP, WHOLE.with_elements("name", ["Group"]), {"resourceType", "id", "meta", "type", "actual", "name"}),
        (
            OBSERVATION,
            WHOLE.with_elements("value", ["Observation"]),
            {"resourceType", "meta", "status", "code", "valueQuantity"},
        ),
        (
            OBSERVATION,
            WHOLE.with_elements("value[x]", ["Observation"]),
            {"resourceType", "meta", "status", "code", "valueQuantity"},
        ),
    ],
)
def test_elements_that_are_left(resource: Resource, subset: Subset, left: set[str]) -> None:
    found = subset.of(resource)
    assert set(found) == left
    assert SUBSETTED in found["meta"]["tag"]
    assert "tag" not in resource.get("meta", {}) or SUBSETTED not in resource["meta"]["tag"], (
        "the original is as it was"
    )


def test_summary_goes_into_elements() -> None:
    found = Subset("true").of(PATIENT)
    assert found["name"] == [{"family": "Martin", "given": ["Ana", None], "_given": [None, {"id": "g"}]}]
    assert found["address"] == PATIENT["address"], "extensions stay where nothing else is there"
    [component] = Subset("true").of(OBSERVATION)["component"]
    assert set(component) == {"code", "valueString"}


def test_tag_stands_once() -> None:
    twice = Subset("data").of(Subset("text").of(PATIENT))
    assert twice["meta"] == {"versionId": "1", "tag": [{"code": "x"}, SUBSETTED]}
    assert is_subsetted(twice)
    assert not is_subsetted(PATIENT)


def test_whole_is_untouched() -> None:
    assert WHOLE.of(PATIENT) == PATIENT
    assert WHOLE.with_summary("false").is_whole
    assert WHOLE.with_summary("count").is_whole


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ([("_summary", "yes")], "`true`, `text`, `data`, `count`, `false`"),
        ([("_summary", "count")], "`data` or `false`"),
        ([("_elements", "nonsense")], "`birthDate`"),
        ([("_elements", "name.family")], "top-level"),
        ([("_elements", "")], "top-level"),
        ([("_elements", ",")], "top-level"),
        ([("_elements", "name"), ("_summary", "text")], "one of them"),
    ],
)
def test_refusals_name_what_is_valid(query: list[tuple[str, str]], named: str) -> None:
    with pytest.raises(InvalidContent) as refused:
        subset_of_read(query, ["Patient"])
    assert named in refused.value.english


def test_elements_of_several_types() -> None:
    types = ["Patient", "Observation"]
    assert subset_of_read([("_elements", "birthDate"), ("_elements", "status")], types).elements == {
        "birthDate",
        "status",
    }
    with pytest.raises(InvalidContent):
        subset_of_read([("_elements", "period")], types)
