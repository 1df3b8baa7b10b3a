"""Constraints of our profiles and of FR Core: all compiled, none left to the library, and the library of one opinion.

R4's own are in `test_fhirpath_examples.py`.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from fhir_server.fhirpath import Environment, compile_expression
from tests.specification.test_fhirpath_examples import Engine, Evaluation, ours
from tests.support.mutations.constraints import constraints, expression_type, value_at
from tests.support.mutations.places import Walker
from tests.support.mutations.sources import counterexamples, load_definitions, synthetic
from tests.support.mutations.sources import ours as our_examples
from tests.support.suites import SUITES

FR_CORE = SUITES.parent / "hl7.fhir.fr.core-2.2.0.tgz"
PER_EXPRESSION = 6
LENIENT = frozenset({"msma-32"})
"""Constraints that compare with what may be several values: FHIRPath fails then, the library takes the first."""


@cache
def walker() -> Walker:
    return Walker(load_definitions())


def stated(definition: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yields key, text and path of each constraint that a StructureDefinition states itself."""
    for element in definition.get("differential", {}).get("element", ()):
        path = re.sub(r"\[x\]", "", element["path"])
        for entry in element.get("constraint", ()):
            if "expression" in entry:
                yield entry["key"], entry["expression"], path


def fr_core() -> Iterator[dict[str, Any]]:
    with tarfile.open(FR_CORE) as package:
        for member in package:
            if member.name.startswith("package/StructureDefinition-"):
                content = package.extractfile(member)
                yield json.loads(content.read() if content else b"{}")


def test_every_constraint_of_ours_is_native() -> None:
    rows = [row for definition in walker().definitions.profiles() for row in stated(definition)]
    assert len(rows) > 40
    assert [key for key, text, path in rows if not compile_expression(text, path).native] == []


@pytest.mark.skipif(not FR_CORE.is_file(), reason="FR Core's package is not shipped: put it into ../shared/reference.")
def test_every_constraint_of_fr_core_is_native_and_can_be_evaluated() -> None:
    rows = [row for definition in fr_core() for row in stated(definition)]
    assert rows
    values = {"Extension": {"url": "http://example.org/x", "valueString": "x"}, "Identifier": {"value": "1"}}
    failed = []
    for key, text, path in rows:
        expression = compile_expression(text, path)
        value = values.get(path.partition(".")[0], {"resourceType": path.partition(".")[0]})
        try:
            expression.evaluate(value if "." not in path else {}, Environment(value, value))
        except Exception as error:
            failed.append((key, repr(error)))
        if not expression.native:
            failed.append((key, "not native"))
    assert failed == []


def evaluations() -> Iterator[tuple[str, Evaluation]]:
    """Yields each constraint of ours with the places that it is about."""
    own = {key for definition in walker().definitions.profiles() for key, _, _ in stated(definition)}
    for name, resource in [*our_examples(), *synthetic(), *counterexamples()]:
        for place in walker().places(resource):
            owner = place.resource or place
            environment = Environment(value_at(resource, owner.path), value_at(resource, (place.root or owner).path))
            for entry in constraints(walker(), place):
                if entry["key"] in own:
                    expression = compile_expression(entry["expression"], expression_type(place))
                    evaluation = Evaluation(name, entry["severity"], expression, place.value, environment)
                    yield entry["key"], evaluation


def test_the_library_is_of_the_same_opinion() -> None:
    engine, seen = Engine(), Counter[tuple[str, bool]]()
    unlike, asked = [], set[str]()
    for key, each in evaluations():
        holds = each.expression.is_true(each.value, each.environment)
        seen[key, holds] += 1
        if seen[key, holds] > PER_EXPRESSION:
            continue
        asked.add(key)
        try:
            theirs: Any = engine.evaluate(each)
        except Exception:
            theirs = None
        if ours(each) != theirs and not (key in LENIENT and ours(each) is None):
            unlike.append((key, each.example, ours(each), theirs))
    assert unlike == []
    assert len(asked) > 40
    assert asked >= LENIENT
