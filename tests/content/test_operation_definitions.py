"""Our OperationDefinitions say what the operations are: code, levels, types, inputs, whether they change something."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.operations import OPERATIONS, Operation
from fhir_server.operations.operation import OURS

FOLDER = Path(__file__).parents[2] / "profiles" / "operation-definitions"
DEFINED = {
    definition["url"]: definition for definition in map(msgspec.json.decode, map(Path.read_bytes, FOLDER.glob("*")))
}
OWN = [operation for operation in OPERATIONS if operation.canonical.startswith(OURS)]


def test_each_of_ours_is_defined_and_done() -> None:
    assert set(DEFINED) == {operation.canonical for operation in OWN}


@pytest.mark.parametrize("operation", OWN, ids=lambda operation: operation.code)
def test_definition_agrees_with_the_code(operation: Operation) -> None:
    definition: dict[str, Any] = DEFINED[operation.canonical]
    assert definition["code"] == operation.code
    assert definition["affectsState"] == operation.affects_state
    assert {level for level in ("system", "type", "instance") if definition[level]} == operation.levels - {"version"}
    assert set(definition["resource"]) == operation.types
    inputs = {each["name"]: (each["type"], each["min"]) for each in definition["parameter"] if each["use"] == "in"}
    assert inputs == {each.name: (each.type, int(each.is_required)) for each in operation.parameters}
