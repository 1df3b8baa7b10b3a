"""What concept maps make of codes. https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.terminology import Scope
from fhir_server.terminology.sources import ResourceSource
from fhir_server.terminology.translation import Attribute, Code, Wanted, has_unmet_dependencies, translate

OURS, THEIRS, OTHERS = "https://example.org/ours", "https://example.org/theirs", "https://example.org/others"
URL = "https://example.org/map"


def group(element: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"source": OURS, "target": THEIRS, "element": element, **more}


def concept_map(name: str, *groups: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "ConceptMap", "url": f"{URL}-{name}", "version": "1", "group": list(groups)}


def element(code: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, **({"target": list(targets)} if targets else {})}


BASIC = concept_map(
    "basic",
    group(
        [
            element("a", {"code": "A", "equivalence": "equivalent"}),
            element("b", {"code": "B", "equivalence": "wider", "display": "Bee"}, {"code": "A", "equivalence": "narrower"}),
            element("c"),
            element("d", {"equivalence": "unmatched"}),
            element("e", {"code": "A", "equivalence": "disjoint"}),
        ],
        targetVersion="7",
    ),
    group([element("a", {"code": "X", "equivalence": "relatedto"})], target=OTHERS),
)
DEPENDENT = concept_map(
    "dependent",
    group(
        [
            element(
                "a",
                {
                    "code": "A",
                    "equivalence": "equivalent",
                    "dependsOn": [{"property": "urn:sex", "system": OTHERS, "value": "f"}],
                    "product": [{"property": "urn:site", "system": OTHERS, "value": "X", "display": "Ex"}],
                },
                {"code": "B", "equivalence": "equivalent", "dependsOn": [{"property": "urn:text", "value": "left"}]},
            )
        ]
    ),
)
LOOP_A = concept_map("loop-a", group([element("a")], unmapped={"mode": "other-map", "url": f"{URL}-loop-b"}))
LOOP_B = concept_map("loop-b", group([element("a")], unmapped={"mode": "other-map", "url": f"{URL}-loop-a|1"}))
THEIR_CODES = {
    "resourceType": "CodeSystem",
    "url": THEIRS,
    "version": "7",
    "content": "complete",
    "concept": [{"code": "A", "display": "Ay"}],
}
SCOPE = Scope([ResourceSource([BASIC, DEPENDENT, LOOP_A, LOOP_B, THEIR_CODES])])


def found(map_: dict[str, Any], code: str, system: str = OURS, **wanted: Any) -> list[tuple[str, str]]:
    matches = translate(SCOPE, map_, Code(system, code), Wanted(**wanted))
    return [(match.equivalence, match.code) for match in matches]


@pytest.mark.parametrize(
    ("code", "wanted", "expected"),
    [
        ("a", {}, [("equivalent", "A"), ("relatedto", "X")]),
        ("a", {"target_system": THEIRS}, [("equivalent", "A")]),
        ("a", {"target_system": OTHERS}, [("relatedto", "X")]),
        ("a", {"target_system": OURS}, []),
        ("b", {}, [("wider", "B"), ("narrower", "A")]),
        ("c", {}, [("unmatched", "")]),
        ("d", {}, [("unmatched", "")]),
        ("e", {}, [("disjoint", "A")]),
        ("f", {}, []),
    ],
)
def test_targets_of_a_code(code: str, wanted: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(BASIC, code, **wanted) == expected


@pytest.mark.parametrize(
    ("code", "system", "expected"),
    [
        ("A", THEIRS, [("equivalent", "a"), ("wider", "b"), ("disjoint", "e")]),
        ("B", THEIRS, [("narrower", "b")]),
        ("X", OTHERS, [("relatedto", "a")]),
        ("a", OURS, []),
    ],
)
def test_the_other_way_round(code: str, system: str, expected: list[tuple[str, str]]) -> None:
    assert found(BASIC, code, system, is_reverse=True) == expected


def test_a_match_is_told_whole() -> None:
    (match,) = translate(SCOPE, BASIC, Code(OURS, "a"), Wanted(target_system=THEIRS))
    assert (match.system, match.version, match.display, match.source) == (THEIRS, "7", "Ay", f"{URL}-basic|1")
    named = translate(SCOPE, BASIC, Code(OURS, "b"), Wanted())[0]
    assert named.display == "Bee"


@pytest.mark.parametrize(
    ("code", "is_translation"), [("a", True), ("b", True), ("c", False), ("d", False), ("e", False)]
)
def test_what_counts_as_a_translation(code: str, is_translation: bool) -> None:
    matches = translate(SCOPE, BASIC, Code(OURS, code), Wanted(target_system=THEIRS))
    assert any(match.is_translation for match in matches) is is_translation


@pytest.mark.parametrize(
    ("dependencies", "expected", "is_unmet"),
    [
        ([], [], True),
        ([Attribute("urn:sex", "f", OTHERS)], ["A"], True),
        ([Attribute("urn:sex", "m", OTHERS)], [], True),
        ([Attribute("urn:sex", "f", THEIRS)], [], True),
        ([Attribute("urn:text", "left")], ["B"], True),
        ([Attribute("urn:text", "left"), Attribute("urn:sex", "f", OTHERS)], ["A", "B"], False),
    ],
)
def test_dependencies_choose(dependencies: list[Attribute], expected: list[str], is_unmet: bool) -> None:
    wanted = Wanted(dependencies=dependencies)
    assert [code for _, code in found(DEPENDENT, "a", dependencies=dependencies)] == expected
    assert has_unmet_dependencies(DEPENDENT, Code(OURS, "a"), wanted) is is_unmet


def test_products_come_along_either_way() -> None:
    (match,) = translate(SCOPE, DEPENDENT, Code(OURS, "a"), Wanted(dependencies=[Attribute("urn:sex", "f", OTHERS)]))
    assert match.products == (Attribute("urn:site", "X", OTHERS, "Ex"),)
    (back,) = translate(SCOPE, DEPENDENT, Code(THEIRS, "A"), Wanted(is_reverse=True))
    assert back.products == (Attribute("urn:sex", "f", OTHERS),)
    assert not has_unmet_dependencies(DEPENDENT, Code(THEIRS, "A"), Wanted(is_reverse=True))


@pytest.mark.parametrize(
    ("unmapped", "code", "expected"),
    [
        ({"mode": "provided"}, "zz", [("equal", "zz")]),
        ({"mode": "fixed", "code": "OTH"}, "zz", [("inexact", "OTH")]),
        ({"mode": "fixed", "code": "OTH"}, "a", [("unmatched", "")]),
        ({"mode": "other-map", "url": f"{URL}-basic"}, "b", [("wider", "B"), ("narrower", "A")]),
        ({"mode": "other-map", "url": f"{URL}-unknown"}, "b", []),
        ({"mode": "other-map", "url": f"{URL}-loop-a"}, "b", []),
    ],
)
def test_what_is_unmapped(unmapped: dict[str, str], code: str, expected: list[tuple[str, str]]) -> None:
    assert found(concept_map("unmapped", group([element("a")], unmapped=unmapped)), code) == expected
