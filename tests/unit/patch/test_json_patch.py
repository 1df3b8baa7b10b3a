"""JSON Patch of resources: what it does, and what it tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import FhirError, InvalidContent, InvalidResource
from fhir_server.patch import apply_json_patch
from fhir_server.patch.json_patch import apply_operations
from fhir_server.patch.refusals import copied

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "active": True,
    "name": [{"family": "Abel", "given": ["Ana", "Bo"]}, {"family": "Blum"}],
    "multipleBirthInteger": 1,
    "extension": [{"url": "http://x/y~z", "valueDecimal": Decimal("1.00")}],
}


def op(name: str, path: str, **members: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **members}


APPLIED: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "nothing": ([], {}),
    "add member": ([op("add", "/birthDate", value="1970")], {"birthDate": "1970"}),
    "add over a member": ([op("add", "/active", value=False)], {"active": False}),
    "add at the end": (
        [op("add", "/name/-", value={"family": "C"})],
        {"name": [*PATIENT["name"], {"family": "C"}]},
    ),
    "replace": ([op("replace", "/name/1/family", value="D")], {"name": [PATIENT["name"][0], {"family": "D"}]}),
    "remove": ([op("remove", "/name/0")], {"name": [{"family": "Blum"}]}),
    "move within a list": ([{**op("move", "/name/1"), "from": "/name/0"}], {"name": PATIENT["name"][::-1]}),
    "move to itself": ([{**op("move", "/name/1"), "from": "/name/1"}], {}),
    "copy": (
        [{**op("copy", "/name/1/given"), "from": "/name/0/given"}, op("remove", "/name/0")],
        {"name": [{"family": "Blum", "given": ["Ana", "Bo"]}]},
    ),
    "test of a number by its value": ([op("test", "/extension/0/valueDecimal", value=1)], {}),
    "test of an object": ([op("test", "/name/1", value={"family": "Blum"})], {}),
    "test of a list": ([op("test", "/name/0/given", value=["Ana", "Bo"])], {}),
    "replace of all": ([op("replace", "", value=PATIENT), op("add", "", value=PATIENT)], {}),
}


@pytest.mark.parametrize(("operations", "changes"), APPLIED.values(), ids=APPLIED)
def test_patch_applies(operations: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    before = copied(PATIENT)
    assert apply_json_patch(PATIENT, operations) == {**PATIENT, **changes}
    assert before == PATIENT


DEEP = "/a" * 65
REFUSED: dict[str, tuple[Any, type[FhirError], str, tuple[str, ...]]] = {
    "no list": ({}, InvalidContent, "", ()),
    "no object": ([1], InvalidContent, "Operation 1: an operation is an object.", ()),
    "unknown op": ([op("spam", "/active")], InvalidContent, "`op` must be one of", ()),
    "op of another type": ([op({}, "/active")], InvalidContent, "`op` must be one of", ()),  # type: ignore[arg-type]
    "no path": ([{"op": "remove"}], InvalidContent, "`path` must be a JSON Pointer", ()),
    "path without slash": ([op("remove", "active")], InvalidContent, "`path` must be a JSON Pointer", ()),
    "wrong escape": ([op("remove", "/a~2b")], InvalidContent, "`path` must be a JSON Pointer", ()),
    "path too deep": ([op("remove", DEEP)], InvalidContent, "`path` must be a JSON Pointer", ()),
    "no from": ([op("copy", "/a")], InvalidContent, "`from` must be a JSON Pointer", ()),
    "no value": ([op("add", "/a")], InvalidContent, "`add` needs a `value`.", ()),
    "too many": ([op("test", "/active", value=True)] * 1001, InvalidContent, "at most 1000 operations", ()),
    "remove nothing": ([op("remove", "/gender")], InvalidResource, "`/gender` does not exist.", ("Patient.gender",)),
    "replace nothing": (
        [op("replace", "/name/2/family", value="x")],
        InvalidResource,
        "`/name/2` does not exist.",
        ("Patient.name[2].family",),
    ),
    "index past the end": (
        [op("add", "/name/3", value={})],
        InvalidResource,
        "it takes 0 to 2",
        ("Patient.name[3]",),
    ),
    "index with a zero before": (
        [op("add", "/name/01", value={})],
        InvalidResource,
        "`01` is no index",
        ("Patient.name.01",),
    ),
    "end of a list read": ([op("remove", "/name/-")], InvalidResource, "does not exist", ("Patient.name",)),
    "into a value": (
        [op("add", "/active/x", value=1)],
        InvalidResource,
        "neither an object nor an array",
        ("Patient.active.x",),
    ),
    "move into itself": (
        [{**op("move", "/name/0/x"), "from": "/name/0"}],
        InvalidResource,
        "cannot move into itself",
        ("Patient.name[0].x",),
    ),
    "move of nothing to itself": (
        [{**op("move", "/x"), "from": "/x"}],
        InvalidResource,
        "does not exist",
        ("Patient.x",),
    ),
    "test fails": (
        [op("test", "/active", value=True), op("test", "/active", value=1)],
        InvalidResource,
        "Operation 2 (`test /active`): the value there is another one.",
        ("Patient.active",),
    ),
    "test of a longer list": (
        [op("test", "/name/0/given", value=["Ana"])],
        InvalidResource,
        "another one",
        ("Patient.name[0].given",),
    ),
    "no resource left": ([op("remove", "")], InvalidResource, "leaves no `Patient`", ()),
    "another type": ([op("replace", "/resourceType", value="Basic")], InvalidResource, "leaves no `Patient`", ()),
}


@pytest.mark.parametrize(("operations", "error", "says", "places"), REFUSED.values(), ids=REFUSED)
def test_patch_is_refused(operations: Any, error: type[FhirError], says: str, places: tuple[str, ...]) -> None:
    before = copied(PATIENT)
    with pytest.raises(error) as refusal:
        apply_json_patch(PATIENT, operations)
    assert says in refusal.value.english
    assert refusal.value.english != refusal.value.french
    assert refusal.value.expression == places
    assert before == PATIENT


def test_copies_that_double_are_stopped() -> None:
    operations = [{"op": "copy", "from": "", "path": f"/x{index}"} for index in range(60)]
    with pytest.raises(InvalidResource, match="copy more than 250000"):
        apply_json_patch(PATIENT, operations)
    wide = [{"op": "copy", "from": "/extension", "path": "/extension/-"} for _ in range(40)]
    with pytest.raises(InvalidResource, match="copy more than 250000"):
        apply_json_patch(PATIENT, wide)


def test_moves_that_deepen_are_stopped() -> None:
    there = [{"op": "move", "from": "/a", "path": "/b/a"}, {"op": "add", "path": "/a", "value": {}}]
    back = [{"op": "move", "from": "/b", "path": "/a/b"}, {"op": "add", "path": "/b", "value": {}}]
    start = [op("add", "/a", value={}), op("add", "/b", value={})]
    with pytest.raises(InvalidResource, match="nested deeper"):
        apply_json_patch(PATIENT, start + (there + back) * 200)


def test_what_is_added_stays_as_it_was() -> None:
    operations = [op("add", "/contact", value=[{}]), op("add", "/contact/0/gender", value="other")]
    apply_json_patch(PATIENT, operations)
    assert operations[0]["value"] == [{}]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=8,
)


@given(values, st.text(max_size=5))
def test_what_is_added_is_found_and_removed_again(value: Any, key: str) -> None:
    document = {"list": [1], "key": 0}
    pointer = "/new" + key.replace("~", "~0").replace("/", "~1")
    added = [op("add", pointer, value=value), op("test", pointer, value=value)]
    assert apply_operations(document, added) == {**document, f"new{key}": value}
    assert apply_operations(document, [*added, op("remove", pointer)]) == document
