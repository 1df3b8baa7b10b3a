"""HL7's FHIRPath cases for R4, all of them; what fails is in `fhirpath_exclusions.toml`."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.errors import FhirError
from fhir_server.fhirpath import Typed, compile_expression
from tests.support.suites import SUITES, suite

FLOOR = 916
EXCLUSIONS: dict[str, str] = {
    name: entry["reason"]
    for entry in tomllib.loads((Path(__file__).parent / "fhirpath_exclusions.toml").read_text())["case"]
    for name in entry["names"]
}
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def cases() -> list[dict[str, Any]]:
    path = SUITES / "fhirpath-r4" / "cases.json"
    loaded: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    return loaded


def name_of(case: dict[str, Any]) -> str:
    return f"{case['group']}/{case['name']}"


@cache
def read_input(name: str | None) -> dict[str, Any]:
    path = SUITES / "fhirpath-r4" / "inputs" / (name or "none")
    content: dict[str, Any] = _DECODER.decode(path.read_bytes()) if path.is_file() else {"resourceType": "Patient"}
    return content


def written(result: Typed) -> str:
    value = result.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) and "value" in value:
        return f"{value['value']} '{value.get('code', value.get('unit'))}'"
    return str(value)


def plain(text: str) -> str:
    return text.removeprefix("@").removeprefix("T")


def agrees(result: Typed, expected: dict[str, Any]) -> bool:
    if expected["type"] not in (None, result.type_name):
        return False
    if expected["value"] is None or plain(written(result)) == plain(expected["value"]):
        return True
    return expected["type"] == "decimal" and bool(Decimal(expected["value"]) == result.value)


def passes(case: dict[str, Any]) -> bool:
    content, expected = read_input(case["input"]), case["outputs"]
    try:
        results = compile_expression(case["expression"], content["resourceType"]).evaluate_typed(content)
    except FhirError:
        return bool(case["invalid"])
    if case["invalid"]:
        return False
    if case["predicate"]:
        return bool(results) is (expected[0]["value"] == "true")
    if case["ordered"] is False:
        results = sorted(results, key=written)
        expected = sorted(expected, key=lambda each: str(each["value"]))
    return len(results) == len(expected) and all(map(agrees, results, expected))


@pytest.mark.parametrize("case", cases(), ids=name_of)
def test_case_gives_what_hl7_expects(case: dict[str, Any]) -> None:
    if name_of(case) in EXCLUSIONS:
        assert not passes(case), f"excluded without need: {EXCLUSIONS[name_of(case)]}"
    else:
        assert passes(case)


def test_cases_that_pass_do_not_become_fewer() -> None:
    suite("fhirpath-r4")
    names = [name_of(case) for case in cases()]
    assert set(EXCLUSIONS) <= set(names)
    assert len([name for name in names if name not in EXCLUSIONS]) >= FLOOR
