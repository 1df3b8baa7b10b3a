"""A code system answers alike from memory and from a compiled file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.cli import terminology
from fhir_server.spec.definitions import table
from fhir_server.terminology.code_systems import CodeSystemContent, CodeSystemProvider, Filter
from fhir_server.terminology.compiled import CompiledCodeSystem, CompiledFile

CODES = ["a", "b", "c", "d", "e", "f"]
WORDS = ["fièvre", "toux", "Œdème", "aiguë"]


def compiled(definition: dict[str, Any], folder: Path) -> CompiledCodeSystem:
    (folder / "cs.json").write_text(json.dumps(definition), encoding="utf-8")
    assert terminology.main(["load", "fhir", str(folder / "cs.json"), "--data-dir", str(folder)]) == 0
    (path,) = (folder / "terminology").glob("*.sqlite")
    return CompiledCodeSystem(CompiledFile(path))


def act_codes() -> dict[str, Any]:
    """Returns HL7's v3-ActCode as a CodeSystem resource; R4's tables write its concepts as lists."""
    (row,) = (each for each in table("code_systems") if each["url"].endswith("/v3-ActCode"))

    def entry(concept: Any) -> dict[str, Any]:
        code, display, below = (*([concept] if isinstance(concept, str) else concept), None, None)[:3]
        return {"code": code, "display": display or "", "concept": [entry(each) for each in below or ()]}

    return {**row, "resourceType": "CodeSystem", "concept": [entry(each) for each in row["concept"]]}


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[CodeSystemProvider, CodeSystemProvider]:
    definition = act_codes()
    return CodeSystemContent(definition), compiled(definition, tmp_path_factory.mktemp("act"))


@pytest.mark.parametrize(
    "filters",
    [
        [],
        [("concept", "is-a", "_ActCoverageTypeCode")],
        [("concept", "descendent-of", "_ActEncounterCode"), ("display", "regex", ".*emergency.*")],
        [("concept", "is-not-a", "_ActCoverageTypeCode"), ("concept", "in", "AMB,VR,DENTAL")],
        [("concept", "generalizes", "AMB")],
        [("parent", "=", "_ActEncounterCode")],
        [("child", "exists", "false"), ("code", "regex", "A.*")],
        [("notSelectable", "=", "true")],
    ],
)
def test_filters_keep_the_same(twins: tuple[CodeSystemProvider, CodeSystemProvider], filters: list[Any]) -> None:
    rows = [Filter(*each) for each in filters]
    first, second = (list(each.select(rows)) for each in twins)
    assert first == second
    assert [code for code in twins[0].select() if twins[1].matcher(rows)(code)] == first


@pytest.mark.parametrize("words", [["amb"], ["emergency"], ["consent", "dir"], ["nothing", "else"]])
def test_words_find_the_same(twins: tuple[CodeSystemProvider, CodeSystemProvider], words: list[str]) -> None:
    first, second = (list(each.select(words=words)) for each in twins)
    assert first == second


def properties() -> st.SearchStrategy[list[dict[str, Any]]]:
    value: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [
            {"code": "size", "valueInteger": 1},
            {"code": "size", "valueInteger": 2},
            {"code": "size", "valueString": "1"},
            {"code": "rare", "valueBoolean": True},
            {"code": "kin", "valueCoding": {"system": "urn:k", "code": "x"}},
            {"code": "gone", "valueBoolean": True},
            {"code": "status", "valueCode": "retired"},
            {"code": "notSelectable", "valueBoolean": True},
            *({"code": "parent", "valueCode": code} for code in CODES),
        ]
    )
    return st.lists(value, max_size=3, unique_by=lambda each: json.dumps(each))


@st.composite
def code_systems(draw: Callable[..., Any]) -> dict[str, Any]:
    """A small code system with parents in any direction, cycles among them."""
    concepts = []
    for code in CODES:
        text = st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join)
        designations = [{"language": "en", "value": draw(text)}]
        concept = {"code": code, "display": draw(text), "property": draw(properties())}
        concept["designation"] = [each for each in designations if each["value"]]
        concepts.append(concept)
    return {
        "resourceType": "CodeSystem",
        "url": "https://example.org/twins",
        "content": "complete",
        "property": [{"code": "gone", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"}],
        "concept": concepts,
    }


FILTERS = st.sampled_from(
    [
        *(("concept", operator, "b") for operator in ("is-a", "descendent-of", "child-of", "is-not-a", "generalizes")),
        *(("size", operator, value) for operator in ("=", "in", "not-in", "regex") for value in ("1", "1,2")),
        *(("kin", "=", "x"), ("inactive", "=", "true"), ("rare", "exists", "true"), ("rare", "exists", "false")),
        *(("concept", "is-a", "zz"), ("parent", "in", "a, b"), ("display", "exists", "true"), ("status", "=", "retired")),
    ]
)


@settings(max_examples=15, deadline=None)
@given(definition=code_systems(), filters=st.lists(FILTERS, max_size=2), words=st.lists(st.sampled_from(["fiev", "oed", "t"]), max_size=1))
def test_any_system_answers_alike(definition: dict[str, Any], filters: list[Any], words: list[str]) -> None:
    rows = [Filter(*each) for each in filters]
    memory = CodeSystemContent(definition)
    with TemporaryDirectory() as folder:
        file = compiled(definition, Path(folder))
        assert list(memory.select(rows, words)) == list(file.select(rows, words))
        for code in CODES:
            assert memory.matcher(rows)(code) == file.matcher(rows)(code)
            for ask in ("parents", "children", "ancestors", "descendants"):
                assert sorted(getattr(memory, ask)(code)) == sorted(getattr(file, ask)(code)), ask
            assert [memory.subsumes(other, code) for other in CODES] == [file.subsumes(other, code) for other in CODES]
            ours, theirs = memory.concept(code), file.concept(code)
            assert ours is not None
            assert theirs is not None
            assert {name: list(values) for name, values in ours.properties.items()} == theirs.properties
            assert (ours.is_inactive, ours.is_abstract, ours.status) == (
                theirs.is_inactive,
                theirs.is_abstract,
                theirs.status,
            )
