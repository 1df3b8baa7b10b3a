"""The concept maps of `mappings/`: complete, honest about what is from memory, and each way round the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Scope, Terminology
from fhir_server.terminology.translation import Code, Wanted, translate

ROOT = Path(__file__).parents[2]
CIM10 = "https://smt.esante.gouv.fr/terminologie-cim-10"
OWN = "https://cnrms.fr/ig/fhir/msma/CodeSystem/"
MAPS = [json.loads(path.read_text()) for path in sorted((ROOT / "mappings" / "concept-maps").glob("*.json"))]
TERMINOLOGY = Terminology(DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"]))
FROM_MEMORY = {
    "http://snomed.info/sct": {
        *("39953003", "404642006", "387286002", "387173000", "288459003", "372664007", "18085000"),
        *("66590003", "56294008", "85005007", "75544000", "31956009", "191816009"),
    },
    "https://mos.esante.gouv.fr/NOS/TRE_R66-CategorieEtablissement/FHIR/TRE-R66-CategorieEtablissement": {"355"},
}
"""Codes of others that nobody here has read in a source."""
each_map = pytest.mark.parametrize("concept_map", MAPS, ids=lambda each: each["id"])


def rows(concept_map: dict[str, Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Returns source system, source code, target system and target of every mapping."""
    return [
        (group["source"], element["code"], group["target"], target)
        for group in concept_map["group"]
        for element in group["element"]
        for target in element["target"]
    ]


@each_map
def test_every_code_of_the_source_has_its_row_in_the_first_group(concept_map: dict[str, Any]) -> None:
    first = concept_map["group"][0]
    provider = TERMINOLOGY.code_system(first["source"])
    assert provider is not None
    mapped = [element["code"] for element in first["element"]]
    assert mapped == list(provider.select())
    assert {group["source"] for group in concept_map["group"]} == {first["source"]}
    for group in concept_map["group"]:
        codes = [element["code"] for element in group["element"]]
        assert len(codes) == len(set(codes))
        assert set(codes) <= set(mapped)


@each_map
def test_every_row_maps_or_says_that_nothing_matches(concept_map: dict[str, Any]) -> None:
    for _, code, _, target in rows(concept_map):
        assert ("code" in target) is (target["equivalence"] != "unmatched"), code


@each_map
def test_what_is_from_memory_says_so(concept_map: dict[str, Any]) -> None:
    for _, code, system, target in rows(concept_map):
        said = "From the project’s knowledge" in target.get("comment", "")
        if system.startswith(OWN) and "code" in target:
            provider = TERMINOLOGY.code_system(system)
            concept = provider.concept(target["code"]) if provider else None
            assert concept is not None
            assert said is (concept.properties["evidence"][0].value == "memory"), code
        elif system == CIM10:
            assert "from the project’s knowledge" in concept_map["copyright"]
        else:
            assert said is (target.get("code") in FROM_MEMORY.get(system, ())), code


@each_map
def test_each_way_round_is_the_same(concept_map: dict[str, Any]) -> None:
    scope = Scope(TERMINOLOGY.sources)
    for source, code, system, target in rows(concept_map):
        if "code" not in target:
            continue
        there = translate(scope, concept_map, Code(source, code), Wanted(system))
        assert target["code"] in [match.code for match in there]
        back = translate(scope, concept_map, Code(system, target["code"]), Wanted(source, is_reverse=True))
        assert code in [match.code for match in back]
