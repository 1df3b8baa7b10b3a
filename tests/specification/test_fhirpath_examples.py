"""Every constraint and every search expression of R4 on HL7's examples: compiled, interpreted, and the library's."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fhirpathpy import apply_parsed_path
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models
from fhirpathpy.parser import parse

from fhir_server.errors import FhirError
from fhir_server.fhirpath import Environment, compile_expression, types
from fhir_server.fhirpath.errata import CORRECTIONS
from fhir_server.fhirpath.expression import Expression
from fhir_server.fhirpath.navigation import literal_type
from fhir_server.spec.definitions import resource_types, table
from tests.support.suites import official_examples

EXCLUSIONS: list[dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "fhirpath_exclusions.toml").read_text(encoding="utf-8")
)["engine"]
PER_EXPRESSION = 8


class Evaluation(NamedTuple):
    """One expression on one place of one example."""

    example: str
    severity: str | None
    expression: Expression
    value: Any
    environment: Environment


@cache
def constraints() -> dict[str, list[tuple[str, str]]]:
    """Severity and text by path, of types and of elements."""
    found = defaultdict(list)
    for row in table("structure_definitions"):
        if row.get("snapshot") and row["kind"] != "logical" and row.get("derivation") != "constraint":
            for element in row["snapshot"]["element"]:
                for constraint in element.get("constraint", ()):
                    found[element["path"]].append((constraint["severity"], constraint["expression"]))
    return found


@cache
def search_expressions() -> dict[str, set[str]]:
    found = defaultdict(set)
    for row in table("search_parameters"):
        for base in row["base"] if row.get("expression") else ():
            for type_name in resource_types() if base in types.RESOURCE_ROOTS else [base]:
                found[type_name].add(row["expression"])
    return found


def ancestors(type_name: str) -> Iterator[str]:
    current: str | None = type_name
    while current is not None:
        yield current
        current = None if types.is_resource(current) else types.base(current)


def places(type_name: str, value: Any, resource: Any, root: Any) -> Iterator[tuple[list[str], str, Any, Environment]]:
    """Yields each value below, with the paths whose constraints it must hold and its type."""
    if type_name in types.RESOURCE_ROOTS:
        type_name = value["resourceType"]
    if types.is_resource(type_name):
        resource = value
    yield list(ancestors(type_name)), type_name, value, Environment(resource, root)
    if not isinstance(value, dict):
        return
    known = types.properties(type_name)
    for key in value.keys() & known.keys():
        choice = known[key]
        element = next(each for each in types.elements(type_name).values() if choice in each.choices)
        path = f"{type_name}.{element.name}{'[x]' if len(element.choices) > 1 else ''}"
        for item in value[key] if isinstance(value[key], list) else [value[key]]:
            if item is None:
                continue
            if path != choice.type_name:
                yield [path], choice.type_name, item, Environment(resource, root)
            inner = item if type_name == "Bundle.entry" and key == "resource" else root
            yield from places(choice.type_name, item, resource, inner)


def evaluations() -> Iterator[Evaluation]:
    for example, resource in official_examples().items():
        for paths, type_name, value, environment in places(resource["resourceType"], resource, None, resource):
            for path in paths:
                for severity, text in constraints().get(path, ()):
                    yield Evaluation(example, severity, compile_expression(text, type_name), value, environment)
            if paths[0] == type_name:
                for text in search_expressions().get(type_name, ()):
                    yield Evaluation(example, None, compile_expression(text, type_name), value, environment)


def test_every_constraint_and_search_expression_is_native() -> None:
    of_constraints = [(text, path) for path, rows in constraints().items() for _, text in rows]
    of_searches = [(text, type_name) for type_name, texts in search_expressions().items() for text in texts]
    foreign = [pair for pair in of_constraints + of_searches if not compile_expression(*pair).native]
    assert foreign == []


def test_no_official_example_breaks_a_constraint() -> None:
    broken = [
        (each.example, each.expression.text)
        for each in evaluations()
        if each.severity == "error" and not each.expression.is_true(each.value, each.environment)
    ]
    assert broken == []


def test_compiled_results_equal_interpreted_ones() -> None:
    unlike = [
        (each.example, each.expression.text)
        for each in evaluations()
        if each.expression.evaluate_typed(each.value, each.environment)
        != each.expression.interpreted_values(each.value, each.environment)
        or each.expression.is_true(each.value, each.environment)
        != each.expression.interpreted_truth(each.value, each.environment)
    ]
    assert unlike == []


class Engine:
    """The library, with what R4 adds to FHIRPath."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self.parsed: dict[str, Any] = {}
        table_ = {
            "resolve": {"fn": self.resolve, "arity": {0: []}},
            "htmlChecks": {"fn": lambda _: [True], "arity": {0: []}},
        }
        self.options = {"userInvocationTable": table_, "traceFn": lambda *_: None}

    def resolve(self, nodes: list[Any]) -> list[Any]:
        return [found for node in nodes for found in self.target(getattr(node, "data", node))]

    def target(self, value: Any) -> list[Any]:
        text = value.get("reference", "") if isinstance(value, dict) else value
        found = [each for each in self.root.get("contained", ()) if f"#{each.get('id')}" == text]
        type_name = literal_type(text) or (value.get("type") if isinstance(value, dict) else None)
        if not found and type_name and not text.startswith("#"):
            found = [{"resourceType": type_name}]
        create: Any = ResourceNode.create_node
        return [create(each, each["resourceType"]) for each in found[:1]]

    def evaluate(self, each: Evaluation) -> Any:
        text = CORRECTIONS.get(each.expression.text, each.expression.text)
        if text not in self.parsed:
            self.parsed[text] = parse(text)  # type: ignore[no-untyped-call]
        environment = each.environment
        self.root = environment.root or {}
        value, create = each.value, ResourceNode.create_node
        start: Any = value if types.is_resource(each.expression.type_name) else create(value, each.expression.type_name)  # type: ignore[no-untyped-call]
        variables = {"resource": environment.resource, "rootResource": environment.root}
        return apply_parsed_path(start, self.parsed[text], variables, models["r4"], self.options)  # type: ignore[no-untyped-call]


def ours(each: Evaluation) -> list[Any] | None:
    try:
        return each.expression.evaluate(each.value, each.environment)
    except FhirError:
        return None


def excluded(text: str, error: str) -> int | None:
    for number, entry in enumerate(EXCLUSIONS):
        if "error" in entry and entry["error"] in error:
            return number
        if "expression" in entry and re.search(entry["expression"], text):
            return number
    return None


@pytest.mark.timeout(120)
def test_results_equal_those_of_the_library() -> None:
    """Each expression on the first places of its type.

    All 52,630 places, run by raising the number, show one difference more: the library keeps both of two components
    that are equal (1.0 and 1.00) in the union `Observation | Observation.component`.
    """
    engine, seen = Engine(), Counter[Expression]()
    unlike, used = [], set()
    for each in evaluations():
        seen[each.expression] += 1
        if seen[each.expression] > PER_EXPRESSION:
            continue
        theirs, error = None, ""
        try:
            theirs = engine.evaluate(each)
        except Exception as raised:
            error = str(raised)
        if ours(each) != theirs:
            exclusion = excluded(each.expression.text, error)
            used.add(exclusion)
            if exclusion is None:
                unlike.append((each.example, each.expression.text, error))
    assert unlike == []
    assert used == set(range(len(EXCLUSIONS))), "an exclusion is no longer needed"
