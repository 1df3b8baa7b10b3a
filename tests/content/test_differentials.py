"""Differentials as other tools read them, and a counterexample for every rule that they add."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_server.spec.definitions import structure_definitions

ROOT = Path(__file__).parents[2]
CORE = "http://hl7.org/fhir/StructureDefinition/"
PROFILES = sorted((ROOT / "profiles/structure-definitions").glob("*.json"))
RULES_OF = {
    "min": {"cardinality-min", "slice-min"},
    "max": {"cardinality-max", "slice-max"},
    "binding": {"binding-required"},
    "pattern": {"pattern-value"},
}
RESTATED = ("extension", "url", "value[x]")
"""Elements of an extension whose rules R4 holds already: `url` is fixed, value and extensions exclude each other."""


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def base_order(type_name: str) -> dict[str, int]:
    elements = structure_definitions()[CORE + type_name]["snapshot"]["element"]
    return {element["path"]: number for number, element in enumerate(elements)}


def position(element_id: str, type_name: str) -> list[tuple[int, str]]:
    """Returns the place of an element among its siblings, level by level; a slice follows what it slices."""
    order = base_order(type_name)
    path, places = "", []
    for segment in element_id.split("."):
        name, _, slice_name = segment.partition(":")
        path = f"{path}.{name}" if path else name
        places.append((order.get(path, len(order)), slice_name))
    return places


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_elements_stand_in_the_order_of_the_base(path: Path) -> None:
    profile = read(path)
    ids = [element["id"] for element in profile["differential"]["element"]]
    places = [[place for place, _ in position(id_, profile["type"])] for id_ in ids]
    groups: dict[tuple[str, ...], int] = {}
    for id_, place in zip(ids, places, strict=True):
        parent = tuple(id_.split(".")[:-1])
        assert place[-1] >= groups.get(parent, -1), f"{id_} comes too late"
        groups[parent] = place[-1]
        assert not parent or ".".join(parent) in {*ids[: ids.index(id_)]} | implied(ids), (
            f"{id_} stands before its parent"
        )


def implied(ids: list[str]) -> set[str]:
    """Returns the parents that no line of their own names: `CareTeam.period` of `CareTeam.period.start`."""
    return {id_.rpartition(".")[0] for id_ in ids} - set(ids)


def expected_findings(profile_id: str) -> set[tuple[str, str]]:
    """Returns (rule, path without indexes) of all findings expected of a profile's counterexamples."""
    findings = set()
    for path in (ROOT / "profiles/counterexamples").glob(f"*-{profile_id}-bad-*.issues.json"):
        for issue in read(path):
            findings.add((issue["rule"], re.sub(r"\[\d+\]", "", issue["expression"])))
    return findings


def discriminators(elements: dict[str, Any]) -> set[str]:
    """Returns the ids of elements that only tell slices apart: breaking them makes another slice, not a fault."""
    found = set()
    for id_ in elements:
        parent, colon, slice_name = id_.rpartition(":")
        if colon and "." not in slice_name:
            for one in elements.get(parent, {}).get("slicing", {}).get("discriminator", ()):
                found.add(id_ if one["path"] == "$this" else f"{id_}.{one['path']}")
    return found


def rules_of(element: dict[str, Any], *, is_discriminator: bool) -> set[str]:
    is_slice = "sliceName" in element
    rules = set()
    if element.get("min") and (is_slice or not is_discriminator):
        rules.add("min")
    if "max" in element and element["max"] != "*":
        rules.add("max")
    if element.get("binding", {}).get("strength") == "required":
        rules.add("binding")
    if not is_slice and not is_discriminator and any(key.startswith("pattern") for key in element):
        rules.add("pattern")
    return rules


@pytest.mark.parametrize(
    "path", [path for path in PROFILES if read(path)["type"] != "Extension"], ids=lambda path: path.stem
)
def test_every_rule_of_a_profile_has_a_counterexample(path: Path) -> None:
    profile = read(path)
    elements = {element["id"]: element for element in profile["differential"]["element"]}
    telling = discriminators(elements)
    found = expected_findings(profile["id"])
    unproven = []
    for id_, element in elements.items():
        place = element["path"].removesuffix("[x]").replace("[x].", ".")
        for rule in rules_of(element, is_discriminator=id_ in telling):
            if not any((one, place) in found for one in RULES_OF[rule]):
                unproven.append((id_, rule))
    assert unproven == []


@pytest.mark.parametrize("path", [path for path in PROFILES if read(path)["type"] == "Extension"], ids=lambda p: p.stem)
def test_every_part_of_an_extension_has_a_counterexample(path: Path) -> None:
    extension = read(path)
    found = {rule for rule, _ in expected_findings(extension["id"])}
    asked = set()
    for element in extension["differential"]["element"]:
        if element["id"].rpartition(".")[2] not in RESTATED:
            asked |= {
                RULES_OF_SLICES[key] for key in RULES_OF_SLICES if key in rules_of(element, is_discriminator=False)
            }
    assert asked <= found


RULES_OF_SLICES = {"min": "slice-min", "max": "slice-max"}
