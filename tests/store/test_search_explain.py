"""MongoDB explains every query of the grammar: no collection is scanned, few keys are read for each result.

One query per parameter type, modifier and prefix, and per relation, order and kind of page, over the pathways of a
synthetic network. Keys examined stay within 10 for each match and 100 besides; only what asks for the absence of
something (`:not`, `:missing=true`) has no keys to go by: it reads an index in order until the page is full. Texts are
looked up in postings, which are made before anything is asked.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio

from fhir_server.index import MONGODB_INDEXES
from fhir_server.search import build_filter, execute, parse_search
from fhir_server.search.reader import Reader, RelationLimits
from fhir_server.store import PostingsBuild
from fhir_server.store.connection import connect
from tests.store.explaining import ExplainingStore, ask, assert_indexed
from tests.support.matching import INDEXER, REGISTRY
from tests.support.network import stored_network

pytestmark = pytest.mark.mongo

PATIENTS = int(os.environ.get("FHIR_EXPLAIN_PATIENTS", "60"))
"""Set it to 5000 for as many as the national network has; storing them takes some minutes."""
DATABASE = "test_search_explain"
INS = "urn:oid:1.2.250.1.213.1.4.10"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network(mongodb_uri: str) -> AsyncIterator[ExplainingStore]:
    """A store with the directory and the pathways of PATIENTS, read by all tests of this file and changed by none."""
    store = ExplainingStore(connect(mongodb_uri), indexes=MONGODB_INDEXES, database=DATABASE)
    async with store:
        await store.client.drop_database(DATABASE)
        for changes in stored_network(PATIENTS, INDEXER):
            await store.commit(changes)
        build = PostingsBuild(store.database, store.collections, margin_s=0)
        for resource_type in await store.collections.existing_types():
            assert await build.catch_up(resource_type, REGISTRY.stamp(resource_type))
        yield store
        await store.client.drop_database(DATABASE)


KEYED = [
    # string
    "Patient?family=noel",
    "Patient?family:exact=NOEL",
    "Patient?name=jon,mar",
    "Organization?name=micro",
    "Organization?address-city=toul",
    # token
    "Observation?code=substance-use",
    "Observation?code=https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-observation|substance-use",
    "Observation?code=https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-observation|",
    "Observation?code=unknown,use-rank,substance-use",
    "Observation?category=social-history",
    "Observation?status=final",
    "Observation?component-code=use-rank",
    "Observation?_tag=HTEST",
    "Patient?identifier=urn:oid:1.2.250.1.213.1.4.10|176113155500457",
    "Patient?gender=female",
    "Patient?active=true",
    "Encounter?class=AMB",
    "Encounter?status=finished,planned",
    "Observation?status:missing=false",
    # reference
    "Observation?subject=Patient/s3-0",
    "Observation?patient=s3-0",
    "Observation?subject:Patient=s3-0",
    "Observation?encounter=Encounter/none",
    "CareTeam?participant=PractitionerRole/s1-demo-ms01-gp2",
    "Consent?patient:missing=false",
    "Patient?organization:identifier=urn:none|1",
    # date, every prefix
    *(f"Observation?date={prefix}2021-06-01" for prefix in ("", "ne", "ge", "gt", "le", "lt", "sa", "eb", "ap")),
    *(f"Observation?date={prefix}2019-01-01" for prefix in ("", "le", "lt", "eb")),
    *(f"Observation?date={prefix}2030-01-01" for prefix in ("", "ge", "gt", "sa")),
    "Patient?birthdate=lt1960-01-01",
    "Patient?birthdate=lt1900-01-01",
    "EpisodeOfCare?date=ge2022",
    "EpisodeOfCare?date=lt2021-03",
    "Encounter?date=2021-06",
    # number and quantity
    *(f"Observation?value-quantity={prefix}5" for prefix in ("", "ne", "ge", "gt", "le", "lt", "sa", "eb", "ap")),
    *(f"Observation?value-quantity={prefix}1000000" for prefix in ("", "ge", "gt", "sa", "ap")),
    *(f"Observation?value-quantity={prefix}-1000000" for prefix in ("le", "lt", "eb")),
    "Observation?value-quantity=gt2||{score}",
    *(f"Observation?value-quantity={prefix}5||kPa" for prefix in ("", "ne", "ge", "gt", "le", "lt", "sa", "eb", "ap")),
    *(f"Observation?value-quantity={prefix}1000000||Pa" for prefix in ("", "gt", "ap")),
    "Observation?value-quantity=ap5||none",
    "Observation?value-quantity=gt5|http://none|kPa",
    "Observation?combo-value-quantity=gt1000000",
    "Observation?combo-value-quantity=ap15||cigarettes/jour",
    "Observation?combo-value-quantity=gt1000000||a",
    "RiskAssessment?probability=gt0.5",
    # uri
    "Questionnaire?url=http://none",
    "Observation?_profile=https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-substance-use",
    # composite
    "Observation?component-code-value-concept=use-level$harmful-use",
    "Observation?component-code-value-quantity=use-quantity$gt15",
    "Observation?component-code-value-quantity=use-quantity$gt1000000||/d",
    "Observation?code-value-quantity=fibroscan$ap1000000",
    # of every resource
    "Observation?_id=s1-1,s1-2,s1-3",
    "Observation?_lastUpdated=ge2027",
    "Observation?_lastUpdated=lt2020",
    # together
    "Observation?patient=s3-0&code=substance-use&date=ge2021-01-01",
    "Observation?patient=s3-0&status=final",
    "Observation?patient=s3-0&code:text=usage",
    "Observation?patient=s3-0&_content=usage",
    "Encounter?patient=s3-0&type=meeting",
    "Observation?subject=Patient/s3-0&_tag=HTEST&category=social-history",
]
TEXTS = [
    # words that nothing, that little, that much and that everything has
    "Observation?_content=usage",
    "Observation?_content=verres",
    "Observation?_content=jour",
    "Observation?_content=data",
    "Observation?_content=test health zebra",
    "Observation?_content=zebra,verres",
    "Observation?_content=v",
    "Observation?_text=usage",
    "Encounter?_content=ms01&status=finished",
    "Encounter?_content=ms01&date=ge2021",
    "Patient?_content=noel",
    "Observation?code:text=usage",
    "Observation?_tag:text=test",
    "Observation?_tag:text=other",
    "Patient?family:contains=oel",
    "Patient?family:contains=o",
    "Patient?family:contains=xyz",
    "Patient?name:contains=martin",
    "Patient?family:contains=oel&_content=noel",
    'Patient?_filter=family co "oel"',
    'Patient?_filter=family co "oel" or family co "xyz"',
    'Patient?_filter=(family co "oel") and (gender eq female)',
]
NAMES = [
    "Patient?family=noel",
    "Patient?family=ma",
    "Patient?name=jon,mar",
    "Patient?name=m&gender=female",
    "Practitioner?name=d",
    'Patient?_filter=family sw "ma" and gender eq female',
]
MOST_PAGES = 12
ORDERS = ["", "_sort=-date", "_sort=date", "_sort=_lastUpdated", "_sort=-_id"]
RELATED = [
    f"CarePlan?subject:Patient.identifier={INS}|176113155500457&_include=CarePlan:subject",
    "Observation?patient.birthdate=lt1960-01-01&code=substance-use",
    "Observation?encounter.status=finished&patient=s3-0",
    "CareTeam?participant:PractitionerRole.practitioner.family=martin",
    "Patient?_has:Observation:patient:code=unknown",
    "Patient?_has:CarePlan:patient:status=active&family=noel",
    "Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=x",
    "Observation?subject:Patient.family:contains=oel",
    "Observation?patient._content=noel&code=substance-use",
    "Patient?_has:Goal:patient:_content=hospitalisation",
    "Patient?_has:Observation:patient:_content=zebra",
    "Patient?_has:Observation:patient:_content=verres&family:contains=oel",
    "Observation?patient.gender:not=male&code=substance-use",
    "Observation?patient.gender:not=male,female",
    "Observation?subject:Patient.family:missing=true",
    "Observation?subject:missing=true&encounter.status:not=finished",
    "Encounter?patient.birthdate:missing=true&status:not=finished",
    "Patient?_has:Observation:patient:status=cancelled",
    "Patient?_has:Observation:patient:status:not=final",
    "Patient?_has:Observation:patient:status:not=final,cancelled",
    "Patient?_has:Encounter:patient:date:missing=true",
    "Observation?_filter=patient.gender ne male and code eq substance-use",
    "Observation?_filter=not (patient.gender eq male) and encounter pr false",
]
INCLUDED = [
    "CarePlan?patient=s3-0&_include=CarePlan:care-team&_include=CarePlan:subject&_include:iterate=CareTeam:participant",
    "CarePlan?patient=s3-0&_include:iterate=*",
    "Patient?_id=s3-0&_revinclude=Observation:subject&_revinclude=CarePlan:patient",
    "Patient?_id=s3-0&_revinclude=*",
]
ABSENT = [
    # a value that nothing, that few, that half, that nearly all and that all have, of each type
    "Observation?status:not=final",
    "Observation?status:not=cancelled",
    "Observation?status:not=final,cancelled",
    "Observation?status:not=entered-in-error",
    "Observation?code:not=substance-use",
    "Observation?code:not=https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-observation|substance-use",
    "Observation?code:not=https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-observation|",
    "Observation?category:not=social-history,survey,laboratory,exam",
    "Observation?component-code:not=use-rank",
    "Observation?component-code:not=https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-observation-component|use-rank",
    "Observation?_tag:not=HTEST",
    "Observation?_tag:not=http://terminology.hl7.org/CodeSystem/v3-ActReason|HTEST",
    "Observation?_id:not=s3-0",
    "Observation?status:not-in=http://hl7.org/fhir/ValueSet/observation-status",
    "Observation?category:not-in=http://hl7.org/fhir/ValueSet/observation-category",
    "Encounter?status:not=finished",
    "Patient?gender:not=male",
    "Patient?gender:not=male,female",
    "Patient?identifier:not=urn:oid:1.2.250.1.213.1.4.10|176113155500457",
    "Patient?active:not=true",
    # nothing at all
    "Observation?encounter:missing=true",
    "Observation?subject:missing=true",
    "Observation?patient:missing=true",
    "Observation?status:missing=true",
    "Observation?code:missing=true",
    "Observation?combo-code:missing=true",
    "Observation?method:missing=true",
    "Observation?component-code:missing=true",
    "Observation?_profile:missing=true",
    "Observation?date:missing=true",
    "Observation?value-quantity:missing=true",
    "Observation?combo-value-quantity:missing=true",
    "Observation?code-value-quantity:missing=true",
    "Observation?component-code-value-quantity:missing=true",
    "Observation?_content:missing=true",
    "Observation?_text:missing=true",
    "Observation?_lastUpdated:missing=true",
    "Observation?_id:missing=true",
    "Patient?family:missing=true",
    "Patient?name:missing=true",
    "Patient?birthdate:missing=true",
    "Patient?death-date:missing=true",
    "Patient?organization:missing=true",
    "RiskAssessment?probability:missing=true",
    "Questionnaire?url:missing=true",
    "Location?near:missing=true",
    # with others
    "Observation?status:not=final&encounter:missing=true",
    "Observation?status:not=final&status:not=cancelled",
    "Observation?status:not=final&status=final",
    "Observation?status:not=final&code=substance-use",
    "Observation?encounter:missing=true&code=substance-use&date=ge2021-06-01",
    "Observation?status:not=final&_content=usage",
    "Observation?patient=s3-0&status:not=final",
    # filters
    "Observation?_filter=status ne final",
    "Observation?_filter=status ne final and status ne cancelled",
    "Observation?_filter=code ne substance-use",
    'Observation?_filter=_profile ne "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-substance-use"',
    "Observation?_filter=not (status eq final)",
    "Observation?_filter=not (status eq final or status eq cancelled)",
    "Observation?_filter=not (status eq final and encounter pr true)",
    "Observation?_filter=not (status ne final)",
    "Observation?_filter=encounter pr false",
    "Observation?_filter=encounter pr false or status ne final",
    "Observation?_filter=encounter pr false or code eq unknown",
    "Observation?_filter=(encounter pr false and status eq final) or code eq unknown",
    *(
        f"Observation?_filter=not (date {prefix})"
        for prefix in ("ge 2000", "ge 2021-06", "lt 2100", "le 2021-06", "po 2021")
    ),
    *(f"Observation?_filter=not (value-quantity {prefix})" for prefix in ("ge 5", "lt 1000000", "gt 0")),
    "EpisodeOfCare?_filter=not (date lt 2100)",
    "EpisodeOfCare?_filter=not (date ge 2022)",
    "Patient?_filter=not (birthdate ge 1800)",
    "Patient?_filter=not (birthdate lt 2100) and gender ne male",
    "Patient?_filter=family pr false",
    'Patient?_filter=not (family co "o")',
    'Patient?_filter=family ne "noel"',
]


@pytest.mark.parametrize(
    ("query", "order"),
    [
        *((query, order) for query in (*KEYED, *TEXTS, *ABSENT) for order in ("", "_sort=_lastUpdated")),
        *((query, order) for query in KEYED[5:8] for order in ORDERS),
    ],
)
async def test_keys_are_few(network: ExplainingStore, query: str, order: str) -> None:
    matches = await ask(network, f"{query}&{order}".rstrip("&"))
    assert_indexed(network)
    for each in network.explained:
        assert each.keys <= 10 * matches + 100, (each.keys, matches, each.command)


@pytest.mark.parametrize("query", [*TEXTS, *NAMES])
async def test_further_pages_read_few_keys(
    network: ExplainingStore, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of five, whatever comes after them: none reads more than it shows, but for what is found nowhere."""
    monkeypatch.setattr("fhir_server.search.beginnings.SMALL", 0)
    resource_type, _, text = query.partition("?")
    page, shown = "", set[str]()
    for _ in range(MOST_PAGES):
        pairs = [*parse_qsl(text), ("_count", "5"), ("_total", "none"), *([("_page", page)] if page else [])]
        network.explained.clear()
        answer = await execute(parse_search(resource_type, pairs, REGISTRY), Reader(network, REGISTRY), page_key=b"key")
        assert_indexed(network)
        for each in network.explained:
            assert each.keys <= 10 * len(answer.matches) + 150, (each.keys, len(answer.matches), each.command)
        ids = {match.id_ for match in answer.matches}
        assert not shown & ids
        shown |= ids
        page = answer.next_page or ""
        if not page:
            break


@pytest.mark.parametrize("query", [*TEXTS, *ABSENT])
async def test_texts_of_many_are_read_in_order(network: ExplainingStore, query: str) -> None:
    """The same with so little room that what many have is not looked up by its ids."""
    few = RelationLimits(candidates=5, counting_candidates=PATIENTS)
    assert await ask(network, query, few) == await ask(network, query)
    assert_indexed(network)


@pytest.mark.parametrize("query", RELATED)
async def test_relations_read_few_keys(network: ExplainingStore, query: str) -> None:
    matches = await ask(network, query)
    assert_indexed(network)
    for each in network.explained:
        assert each.keys <= 10 * max(matches, each.returned) + 100, (each.keys, matches, each.command)


@pytest.mark.parametrize("query", INCLUDED)
async def test_includes_read_what_they_show(network: ExplainingStore, query: str) -> None:
    await ask(network, query)
    assert_indexed(network)
    for each in network.explained:
        assert each.keys <= 10 * each.returned + 100, (each.keys, each.command)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("query", ["Observation?", "Observation?code=substance-use", "Observation?status=final"])
async def test_the_last_page_reads_no_more_than_the_first(network: ExplainingStore, query: str, order: str) -> None:
    resource_type, _, text = f"{query}&{order}".rstrip("&").replace("?&", "?").partition("?")
    request = parse_search(resource_type, parse_qsl(text, keep_blank_values=True), REGISTRY)
    documents = await network.find(
        resource_type, {}, sort=[(key.field, key.direction) for key in request.order], projection={"date": 1, "at": 1}
    )
    last = documents[-10]
    values: list[Any] = [last[key.field] for key in request.order]
    query_plan = (await Reader(network, REGISTRY).query(resource_type, request.clauses, order=request.order)).plan
    condition = build_filter(query_plan, order=request.order, last=values)
    explained = await network.explain(
        resource_type,
        condition,
        sort=[(key.field, key.direction) for key in request.order],
        limit=21,
        hint=query_plan.hint,
    )
    # All resources of this network came at the same instant: of what shares it, the ids alone tell the order.
    if "_lastUpdated" not in order:
        assert explained["executionStats"]["totalKeysExamined"] <= 10 * 10 + 100, condition
