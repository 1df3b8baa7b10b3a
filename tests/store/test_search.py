"""Search on a real MongoDB: what is found, in which order, page by page, and through which index."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fhir_server.errors import InvalidContent, TooCostly
from fhir_server.index import MONGODB_INDEXES
from fhir_server.search import (
    KeyedCondition,
    Reader,
    build_bundle,
    build_filter,
    execute,
    find_ids,
    find_ids_of_each,
    parse_condition,
    parse_search,
    plan,
    single_key,
)
from fhir_server.spec.json_format import unpacked
from fhir_server.store import ResourceStore
from tests.store.search_network import KEY, RESOURCES, ids, network, run
from tests.support.matching import REGISTRY, search
from tests.support.stored import START

pytestmark = pytest.mark.mongo

__all__ = ["network"]

GRAMMAR = [
    "Observation?code=code-1",
    "Observation?code=http://loinc.org|code-1",
    "Observation?code=http://loinc.org|",
    "Observation?code=code-1,code-2&status=amended",
    "Observation?code:not=code-1",
    "Observation?status:missing=false",
    "Observation?value-quantity:missing=true",
    "Observation?subject=Patient/p1",
    "Observation?patient=p1&code=code-1",
    "Observation?patient=p1,p2&date=ge2026-03-10",
    "Observation?patient=p1&date=ge2026-03-10&date=lt2026-03-20&status=final",
    "Observation?subject=p1",
    "Observation?subject:missing=true",
    "Observation?performer=Practitioner/gp1&category=survey",
    "Observation?identifier=urn:oid:1.2|O7",
    "Observation?identifier=O7,O8",
    "Observation?date=2026-03-07",
    "Observation?date=ge2026-04-01",
    "Observation?date=lt2026-03-05",
    "Observation?date=ne2026-03-05",
    "Observation?date=sa2026-03-05&date=eb2026-03-08",
    "Observation?value-quantity=3.5",
    "Observation?value-quantity=gt10|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=ap5||mg",
    "Observation?combo-value-quantity=le1",
    "Observation?value-string=etage 1",
    "Observation?value-string:exact=Étage 4",
    "Observation?value-string:contains=AGE",
    "Observation?code-value-quantity=code-1$gt3",
    "Observation?code-value-quantity=http://loinc.org|code-1$3.5,code-2$1",
    "Observation?code-value-quantity=http://loinc.org|$3.5",
    "Observation?patient=p1&combo-code-value-quantity=code-1$lt10",
    "Observation?component-code-value-quantity=systolic$gt125",
    "Observation?component-code-value-quantity=systolic$70",
    "Observation?combo-code-value-quantity:missing=true",
    "Observation?value-quantity=0.0035||g",
    "Observation?combo-value-quantity=gt0.01|http://unitsofmeasure.org|g",
    "Observation?component-value-quantity=0.12||g",
    "Observation?component-code-value-quantity=systolic$120000|http://unitsofmeasure.org|ug",
    "Observation?component-code=http://loinc.org|systolic",
    "Observation?component-code=http://loinc.org|",
    "Observation?code:text=premier",
    "Observation?patient=p1&code:text=second",
    "Observation?status:in=http://hl7.org/fhir/ValueSet/observation-status",
    "Observation?status:not-in=http://hl7.org/fhir/ValueSet/observation-status",
    "Observation?identifier:of-type=http://t|MR|O7",
    "Observation?_content=etage",
    "Observation?patient=p1&_content=second premier",
    "Observation?code=code-1&_text=nothing",
    "Observation?_text:missing=true",
    "Observation?_id=o01,o02",
    "Observation?_id:not=o01",
    "Observation?_lastUpdated=ge2026-03-01T09:40:00Z",
    "Observation?_lastUpdated=ne2026-03",
    "Observation?",
    "Patient?family=dorg",
    "Patient?name=OE",
    "Patient?active=true&birthdate=lt1960",
    "Patient?general-practitioner=Practitioner/gp0&organization=o1",
    "Encounter?status=planned",
    "Encounter?patient=p1&date=ge2026",
    "Encounter?",
    "Location?near=48.5734|7.7521",
    "Location?near=48.5734|7.7521|100",
    "Location?near=-17|-179|1000",
    "Location?near=0|0|30000",
    "Location?near:missing=true",
    "RiskAssessment?probability=0.5",
    "RiskAssessment?probability=lt0.5",
    "Questionnaire?url=https://cnrms.fr/ig/fhir/msma/Questionnaire/audit",
    "Questionnaire?url:below=https://cnrms.fr/ig/fhir/msma",
    "Questionnaire?url:above=https://cnrms.fr/ig/fhir/msma/Questionnaire/audit/1/2",
    "QuestionnaireResponse?questionnaire=https://cnrms.fr/ig/fhir/msma/Questionnaire/audit|1.0",
]
SORTS = ["", "_sort=date", "_sort=-_lastUpdated", "_sort=_id", "_sort=-status,_lastUpdated"]


@pytest.mark.parametrize("query", GRAMMAR)
async def test_mongodb_finds_what_the_unit_tests_matcher_finds(network: ResourceStore, query: str) -> None:
    resource_type, _, text = query.partition("?")
    found = set(await ids(network, f"{query}&_count=1000".replace("?&", "?")))
    if "_lastUpdated" not in query:  # the matcher gives all resources one instant
        assert found == search(resource_type, text, RESOURCES.get(resource_type, {}))
    count = await run(network, f"{query}&_count=0".replace("?&", "?"))
    assert count.total == len(found)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", GRAMMAR)
async def test_every_query_reads_an_index(network: ResourceStore, query: str, sort: str) -> None:
    resource_type, _, text = query.partition("?")
    if resource_type not in ("Observation", "Questionnaire") and "date" in sort:
        sort = "_sort=_lastUpdated"
    request = parse_search(resource_type, parse_qsl(f"{text}&{sort}"), REGISTRY)
    planned = plan(request, REGISTRY)
    for last in (None, [START if key.field in ("date", "at") else "x" for key in request.order]):
        condition = build_filter(planned, order=request.order, last=last)
        explained = await network.explain(
            resource_type,
            condition,
            sort=[(key.field, key.direction) for key in request.order],
            limit=21,
            hint=planned.hint,
        )
        stages = re.findall(r"'stage': '(\w+)'", str(explained["queryPlanner"]["winningPlan"]))
        assert "COLLSCAN" not in stages, (condition, stages)
        assert {"IXSCAN", "IDHACK", "EOF"} & set(stages), stages


async def test_the_default_order_needs_no_sorting_in_memory(network: ResourceStore) -> None:
    request = parse_search("Observation", [("patient", "p1"), ("code", "code-1")], REGISTRY)
    planned = plan(request, REGISTRY)
    assert planned.explain() == "scan patient, code; filter nothing"
    last = [START, "o05"]
    for condition in (
        build_filter(planned),
        build_filter(planned, order=request.order, last=last),
    ):
        explained = await network.explain(
            "Observation", condition, sort=[("date", -1), ("_id", 1)], limit=21, hint=planned.hint
        )
        assert "'stage': 'SORT'" not in str(explained["queryPlanner"]["winningPlan"])
        assert explained["executionStats"]["totalKeysExamined"] <= 6


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Observation?patient=p1&_count=3", ["o37", "o33", "o29"]),
        ("Observation?patient=p1&_sort=date&_count=3", ["o01", "o05", "o09"]),
        ("Observation?_sort=-date&_count=2", ["o39", "o38"]),
        ("Observation?_sort=-_lastUpdated&_count=2", ["o39", "o38"]),
        ("Observation?_sort=-value-quantity&_count=2", ["o39", "o38"]),
        ("Observation?_sort=status,-date&_count=3", ["o35", "o30", "o25"]),
        ("Patient?_sort=family", ["p0", "p2", "p1", "p3"]),
        ("Patient?_sort=-birthdate", ["p3", "p2", "p1", "p0"]),
        ("Patient?_sort=active,-_id", ["p3", "p1", "p2", "p0"]),
        ("Patient?", ["p0", "p1", "p2", "p3"]),
    ],
)
async def test_results_come_in_the_order_asked_for(network: ResourceStore, query: str, expected: list[str]) -> None:
    assert await ids(network, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "Observation?",
        "Observation?status=final",
        "Observation?_sort=value-quantity",
        "Observation?_sort=-value-quantity",
        "Observation?_sort=-value-string,value-quantity",
        "Observation?_sort=date",
        "Observation?_sort=_lastUpdated",
        "Observation?_sort=-_id",
        "Observation?_sort=status,-code",
        "Patient?_sort=family",
        "Patient?",
    ],
)
@pytest.mark.parametrize("count", [1, 3, 7])
async def test_pages_together_are_the_whole_result(network: ResourceStore, query: str, count: int) -> None:
    whole = await ids(network, f"{query}&_count=1000".replace("?&", "?"))
    found: list[str] = []
    page, rounds = "", 0
    while rounds == 0 or page:
        answer = await run(network, f"{query}&_count={count}".replace("?&", "?"), page)
        assert answer.total == len(whole)
        found += [each.id_ for each in answer.matches]
        page, rounds = answer.next_page or "", rounds + 1
    assert found == whole
    assert rounds == -(-len(whole) // count)


async def test_a_page_token_serves_its_own_search_only(network: ResourceStore) -> None:
    token = (await run(network, "Observation?status=final&_count=2")).next_page
    assert token
    changed = ("A" if token[0] != "A" else "B") + token[1:]
    for query, forged in [
        ("Observation?status=final&_count=2", changed),
        ("Observation?status=amended&_count=2", token),
        ("Patient?active=true&_count=2", token),
        ("Observation?status=final&_count=2", "é"),
        ("Observation?status=final&_count=2", "x"),
    ]:
        with pytest.raises(InvalidContent, match="_page"):
            await run(network, query, forged)


async def test_totals(network: ResourceStore) -> None:
    assert (await run(network, "Observation?_count=5")).total == 40
    assert (await run(network, "Observation?_count=5&_total=none")).total is None
    assert (await run(network, "Observation?_count=5&_total=estimate")).total == 40
    assert (await run(network, "Observation?_count=5&_total=accurate")).total == 40
    counted = await run(network, "Observation?status=final&_summary=count")
    assert (counted.total, counted.matches) == (32, ())
    assert (await run(network, "Observation?code=unknown")).total == 0


class _SlowCounter(ResourceStore):
    """The store of a collection so large that counting takes too long."""

    async def count(self, *arguments: Any, **options: Any) -> int:
        raise TooCostly("Too long.", "Trop long.", rule="time")


async def test_a_total_that_takes_too_long_is_left_out_unless_asked_for(network: ResourceStore) -> None:
    slow = _SlowCounter(network.client, indexes=MONGODB_INDEXES, database="test_search")
    page = await run(slow, "Observation?_count=5")
    assert (len(page.matches), page.total) == (5, None)
    assert [issue.rule for issue in page.warnings] == ["total-too-costly"]
    assert (await run(slow, "Observation?_count=100")).total == 40
    with pytest.raises(TooCostly):
        await run(slow, "Observation?_count=5&_total=accurate")


async def test_the_bundle_says_what_was_understood(network: ResourceStore) -> None:
    pairs = [("patient", "p1"), ("colour", "red"), ("_include", "Observation:subject"), ("_count", "1")]
    request = parse_search("Observation", [*pairs, ("_explain", "true")], REGISTRY, lenient=True)
    page = await execute(request, Reader(network, REGISTRY), page_key=KEY)
    bundle = build_bundle(page, request, "https://example.org/fhir", "Observation", "en")
    self_url = "https://example.org/fhir/Observation?patient=p1&_include=Observation:subject&_count=1&_explain=true"
    assert bundle["link"] == [
        {"relation": "self", "url": self_url},
        {"relation": "first", "url": self_url},
        {"relation": "next", "url": f"{self_url}&_page={page.next_page}"},
    ]
    assert (bundle["type"], bundle["total"]) == ("searchset", 10)
    entries = unpacked(bundle["entry"])
    assert [entry["search"]["mode"] for entry in entries] == ["match", "include", "outcome"]
    assert [entry.get("fullUrl") for entry in entries] == [
        "https://example.org/fhir/Observation/o37",
        "https://example.org/fhir/Patient/p1",
        None,
    ]
    issues = entries[2]["resource"]["issue"]
    assert [issue["details"]["coding"][0]["code"] for issue in issues] == ["search-parameter-unknown", "search-plan"]
    assert "scan patient; filter nothing" in issues[1]["diagnostics"]


async def test_an_empty_result_has_no_entries(network: ResourceStore) -> None:
    request = parse_search("Patient", [("_total", "none"), ("family", "nobody")], REGISTRY)
    page = await execute(request, Reader(network, REGISTRY), page_key=KEY)
    bundle = build_bundle(page, request, "https://example.org/fhir", "Patient")
    assert bundle == {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "self", "url": "https://example.org/fhir/Patient?_total=none&family=nobody"}],
    }
    assert build_bundle(page, parse_search("Patient", [], REGISTRY), "b", "Patient")["link"][0]["url"] == "b/Patient"


async def test_conditions_find_ids(network: ResourceStore) -> None:
    queries = [
        ("Patient", "identifier=urn:oid:1.2|P1"),
        ("Patient", "identifier=urn:oid:1.2|P9"),
        ("Patient", "?active=true"),
        ("Observation", "identifier=urn%3Aoid%3A1.2%7CO7"),
        ("Observation", "patient=p1&status=amended"),
        ("Observation", "status=final"),
    ]
    requests = [parse_condition(resource_type, query, REGISTRY) for resource_type, query in queries]
    alone = [await find_ids(request, network, REGISTRY) for request in requests]
    assert alone[:2] == [["p1"], []]
    assert [len(found) for found in alone] == [1, 0, 2, 1, 2, 2]
    keys = [single_key(request, REGISTRY) for request in requests]
    keyed = [KeyedCondition(request, key) for request, key in zip(requests, keys, strict=True) if key is not None]
    assert [each.request for each in keyed] == [*requests[:4], requests[5]], "two parameters are more than one key"
    together = await find_ids_of_each(keyed, network, REGISTRY)
    assert [len(found) for found in together] == [1, 0, 2, 1, 2]
    assert [together[place] for place in (0, 1, 3)] == [alone[place] for place in (0, 1, 3)]
    assert await find_ids_of_each([], network, REGISTRY) == []
    assert len(await find_ids(requests[5], network, REGISTRY, limit=7)) == 7
