"""R4's search parameters, read from HL7's table as data, and those of the folder `profiles/search-parameters`.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fhir_server.spec.definitions import structure_definitions, table

_BASE = "http://hl7.org/fhir/StructureDefinition/"
_OURS = Path(__file__).parents[2] / "profiles" / "search-parameters"
_WITHOUT_NARRATIVE = ("Bundle", "Parameters", "Binary")
_ROOTED = re.compile(r"\(?\s*([A-Z]\w*)\b")
_ABSTRACT = re.compile(r"^(?:Domain)?Resource\.")
# HL7's examples of SearchParameter are no parameters of R4.
_IS_EXAMPLE = re.compile(r"/SearchParameter/example(-|$)")
_LEADS_TO = re.compile(r"resolve\(\) is (\w+)")


@dataclass(frozen=True)
class Component:
    """One part of a composite parameter: its own parameter's canonical, and where its values lie in the composite."""

    definition: str
    expression: str


@dataclass(frozen=True)
class Parameter:
    """One search parameter of one resource type; `branches` are the parts of its expression that name the type."""

    code: str
    type: str
    resource_type: str
    branches: tuple[str, ...]
    targets: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()

    def __str__(self) -> str:
        return f"{self.resource_type}.{self.code}"


@cache
def parameters(resource_type: str) -> Mapping[str, Parameter]:
    """Returns the parameters of a resource type that have an expression, by code."""
    bases = ["Resource", "DomainResource", resource_type]
    if resource_type in _WITHOUT_NARRATIVE:
        bases.remove("DomainResource")
    found = {}
    for base in bases:
        for row in _rows_of(base):
            branches = tuple(_branches(row["expression"], (base, resource_type)))
            if branches:
                found[row["code"]] = _parameter(row, resource_type, branches)
    return found


@cache
def parameter_of(canonical: str) -> Mapping[str, Any]:
    """Returns the row of a SearchParameter by its canonical."""
    return next(row for row in _rows() if row["url"] == canonical)


@cache
def implied_systems(parameter: Parameter) -> frozenset[str]:
    """Returns the systems of the value sets that the parameter's elements of type `code` are bound to."""
    systems: set[str] = set()
    for branch in parameter.branches:
        element = _element(branch)
        if element is None or [each["code"] for each in element.get("type", ())] != ["code"]:
            continue
        canonical = element.get("binding", {}).get("valueSet", "").partition("|")[0]
        for row in table("value_sets"):
            if row["url"] == canonical:
                systems.update(part["system"] for part in row["compose"].get("include", ()) if "system" in part)
    return frozenset(systems)


@cache
def _rows() -> list[Mapping[str, Any]]:
    return [*table("search_parameters"), *(json.loads(path.read_text()) for path in sorted(_OURS.glob("*.json")))]


def _rows_of(base: str) -> Iterator[Mapping[str, Any]]:
    for row in _rows():
        if base in row.get("base", ()) and row.get("expression") and not _IS_EXAMPLE.search(row["url"]):
            yield row


def _branches(expression: str, roots: tuple[str, ...]) -> Iterator[str]:
    for part in expression.split("|"):
        branch = part.strip()
        root = _ROOTED.match(branch)
        # R4 forgets the root in `InsurancePlan.name | alias`.
        if root is None or root[1] in roots:
            # The library knows no instance of the abstract types.
            yield _ABSTRACT.sub(f"{roots[-1]}.", branch)


def _parameter(row: Mapping[str, Any], resource_type: str, branches: tuple[str, ...]) -> Parameter:
    narrowed = tuple(name for branch in branches for name in _LEADS_TO.findall(branch))
    return Parameter(
        code=row["code"],
        type=row["type"],
        resource_type=resource_type,
        branches=branches,
        targets=narrowed if len(narrowed) == len(branches) else tuple(row.get("target", ())),
        components=tuple(Component(each["definition"], each["expression"]) for each in row.get("component", ())),
    )


def _element(path: str) -> Mapping[str, Any] | None:
    """Returns the definition of the element at a plain path, through the data types it goes through."""
    names = path.split(".")
    place = names[0]
    element: Mapping[str, Any] | None = None
    for name in names[1:]:
        element = _elements(place.partition(".")[0]).get(f"{place}.{name}")
        if element is None or not element.get("type"):
            return None
        code = element["type"][0]["code"]
        place = element["path"] if code in ("BackboneElement", "Element") else code
    return element


@cache
def _elements(type_name: str) -> Mapping[str, Mapping[str, Any]]:
    definition = structure_definitions().get(_BASE + type_name)
    return {row["path"]: row for row in definition["snapshot"]["element"]} if definition else {}
