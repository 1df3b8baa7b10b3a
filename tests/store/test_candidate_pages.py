"""Pages by candidates in turn: walked to the end they are what a look at every document finds, in the same order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fhir_server.index.words import words_of
from fhir_server.search import execute, parse_search
from fhir_server.search.criteria import Criterion
from fhir_server.search.parse import parse_criterion
from fhir_server.search.reader import Reader, RelationLimits, everything
from fhir_server.search.several import parse_several
from fhir_server.store import Delete, ResourceStore
from fhir_server.store.postings import state_key
from tests.support.matching import REGISTRY
from tests.support.texts import maker, put

pytestmark = pytest.mark.mongo

START = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = ("douleur", "douce", "repos", "rare")
TYPES = ("Observation", "Patient")
IMPATIENT = RelationLimits(candidates=6)
PATIENT = RelationLimits()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 24 members in pages of eight; no number of candidates is few, nor is any many."""
    for module in ("postings_build", "postings_chunks"):
        monkeypatch.setattr(f"fhir_server.store.{module}.CHUNK", 24)
    for module in ("postings", "postings_chunks", "postings_members", "postings_erasure"):
        monkeypatch.setattr(f"fhir_server.store.{module}.PAGE", 8)
    monkeypatch.setattr("fhir_server.search.candidates.PAGE", 8)
    monkeypatch.setattr("fhir_server.search.candidates.FEW", 0)
    monkeypatch.setattr("fhir_server.search.candidates._OFTEN", 0)
    monkeypatch.setattr("fhir_server.search.beginnings.MOST_LONGER", 4)
    monkeypatch.setattr("fhir_server.search.beginnings.SMALL", 0)


class Life:
    """Resources that are written, changed and deleted at random, and what of them is stored."""

    def __init__(self, store: ResourceStore, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.minute = 0

    async def write(self, resource_type: str, number: int) -> None:
        """Writes one version: of few dates, so that many resources share theirs."""
        self.minute += 1
        id_ = f"{resource_type[0].lower()}{number}"
        known = self.stored.get((resource_type, id_))
        version = 1 if known is None else int(known["meta"]["versionId"]) + 1
        at = (START + timedelta(minutes=self.minute)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = " ".join(self.chance.sample(WORDS, self.chance.choice((0, 1, 1, 2, 3))))
        resource: dict[str, Any] = {
            "resourceType": resource_type,
            "id": id_,
            "meta": {"versionId": str(version), "lastUpdated": at, "tag": [{"code": self.chance.choice("ab")}]},
        }
        if resource_type == "Observation":
            resource |= {"code": {"text": text or "rien"}, "status": self.chance.choice(("final", "amended"))}
            if self.chance.random() < 0.9:
                resource["effectiveDateTime"] = f"2026-01-0{self.chance.randrange(1, 6)}"
        elif text:
            resource["name"] = [{"text": text, "family": self.chance.choice(("Noel", "Noelle", "Martin"))}]
        await put(self.store, resource)
        self.stored[resource_type, id_] = resource

    async def delete(self, resource_type: str, number: int) -> None:
        """Deletes a resource that is there."""
        id_ = f"{resource_type[0].lower()}{number}"
        known = self.stored.pop((resource_type, id_), None)
        if known is not None:
            at = START + timedelta(minutes=self.minute)
            await self.store.commit([Delete(resource_type, id_, int(known["meta"]["versionId"]), at)])

    async def live(self, steps: int) -> None:
        """Does some of all that."""
        for _ in range(steps):
            resource_type, number = self.chance.choice(TYPES), self.chance.randrange(80)
            act = self.delete if self.chance.random() < 0.15 else self.write
            await act(resource_type, number)

    async def catch_up(self) -> None:
        """Has all postings made."""
        for resource_type in TYPES:
            assert await maker(self.store).catch_up(resource_type, REGISTRY.stamp(resource_type))
            state = await self.store.postings.state(resource_type)
            assert state is not None
            # The instants here are of another month; what counts is which of them come after.
            since = {"$set": {"since": START + timedelta(minutes=self.minute, seconds=1)}}
            await self.store.database["meta"].update_one({"_id": state_key(resource_type)}, since)

    def expected(self, types: Sequence[str], words: Sequence[str], **elements: Any) -> list[tuple[str, str]]:
        """Returns types and ids of what has a word with one of these beginnings, in the default order."""
        found = []
        for (resource_type, id_), resource in self.stored.items():
            text = str(resource.get("code") or resource.get("name") or "")
            has_word = any(each.startswith(word) for each in words_of(text) for word in words)
            if resource_type in types and has_word and all(resource.get(k) == v for k, v in elements.items()):
                found.append((resource.get("effectiveDateTime", "")[8:], resource_type, id_))
        found.sort(key=lambda each: (-int(each[0] or 0), each[1], each[2]))
        return [(resource_type, id_) for _, resource_type, id_ in found]


async def walk(
    store: ResourceStore, query: str, limits: RelationLimits, policy: Any = everything
) -> list[tuple[str, str]]:
    """Returns types and ids of all pages, each read by a request of its own."""
    resource_type, _, text = query.partition("?")
    found: list[tuple[str, str]] = []
    page = ""
    while True:
        pairs = [*parse_qsl(text), *([("_page", page)] if page else [])]
        if resource_type:
            request = parse_search(resource_type, pairs, REGISTRY)
        else:
            request = parse_several(TYPES, pairs, REGISTRY)
        answer = await execute(request, Reader(store, REGISTRY, relations=limits, policy=policy), page_key=b"key")
        found += [(each.resource_type, each.id_) for each in answer.matches]
        page = answer.next_page or ""
        if not page:
            return found


@pytest.mark.parametrize("seed", range(4))
async def test_pages_are_what_a_look_at_all_finds(store: ResourceStore, seed: int) -> None:
    life = Life(store, seed)
    await life.live(150)
    await life.catch_up()
    await life.live(seed * 20)
    observations = ("Observation",)
    for limits in (PATIENT, IMPATIENT):
        for count in (1, 3, 7):
            size = f"&_count={count}"
            for words in ("dou", "rare", "douleur,repos", "zebre"):
                expected = life.expected(observations, words.split(","))
                assert await walk(store, f"Observation?_content={words}{size}", limits) == expected, (words, size)
            final = life.expected(observations, ["dou"], status="final")
            assert await walk(store, f"Observation?_content=dou&status=final{size}", limits) == final
            both = f'Observation?_filter=(code co "dou" or status eq none) and status eq final{size}'
            assert await walk(store, both.replace("code co", "_content eq"), limits) == final
            patients = life.expected(("Patient",), ["noel"])
            assert await walk(store, f"Patient?family:contains=oel{size}", limits) == patients
            for beginning in ("no", "noel", "noelle,noel"):
                assert await walk(store, f"Patient?family={beginning}{size}", limits) == patients
            people = life.expected(("Patient",), ["noel", "martin"])
            assert await walk(store, f"Patient?family=noelle,noel,martin{size}", limits) == people
            tagged = [key for key in patients if life.stored[key]["meta"]["tag"] == [{"code": "a"}]]
            assert await walk(store, f"Patient?family=n&_tag=a{size}", limits) == tagged
            noel = [each for each in patients if each in life.expected(("Patient",), ["rare"])]
            assert await walk(store, f"Patient?family:contains=oel&_content=rare{size}", limits) == noel
            assert await walk(store, f"?_content=dou{size}", limits) == life.expected(TYPES, ["dou"])


async def test_what_is_late_and_what_was_erased_is_answered_right(store: ResourceStore) -> None:
    life = Life(store, 11)
    await life.live(150)
    await life.catch_up()
    gone = life.expected(("Observation",), ["dou"])[::3]
    for resource_type, id_ in gone:
        await life.delete(resource_type, int(id_[1:]))
    await store.postings_erasure.note_erased("Observation", [id_ for _, id_ in gone])
    await store.postings_erasure.clean("Observation")
    left = await store.database["Observation.postings"].find({"ids": {"$exists": True}}).to_list()
    heads = await store.database["Observation.postings"].find({"heads": {"$exists": True}}).to_list()
    names = {id_ for each in left for id_ in each["ids"].split("\n")}
    firsts = {id_ for each in heads for id_ in each["first"].split("\n")}
    assert not {id_ for _, id_ in gone} & (names | firsts)
    assert "" in firsts
    moved = life.expected(("Observation",), ["repos"])[0][1]
    await store.postings_erasure.note_late("Observation", [moved])
    date = {"date": START - timedelta(days=400)}
    await store.database["Observation"].update_one({"_id": moved}, {"$set": date})
    life.stored["Observation", moved]["effectiveDateTime"] = "2026-01-00"
    for word in ("dou", "repos"):
        expected = [each for each in life.expected(("Observation",), [word]) if each[1] != moved]
        found = await walk(store, f"Observation?_content={word}&_count=2", PATIENT)
        assert [each for each in found if each[1] != moved] == expected
    assert ("Observation", moved) in await walk(store, "Observation?_content=repos&_count=2", PATIENT)


async def test_the_policy_holds_for_each_page(store: ResourceStore) -> None:
    life = Life(store, 5)
    await life.live(150)
    await life.catch_up()
    allowed = {name: [parse_criterion(name, "_tag", "a", REGISTRY)] for name in TYPES}
    texts = {name: [parse_criterion(name, "_content", "dou", REGISTRY)] for name in TYPES}

    def tagged(name: str) -> Sequence[Criterion]:
        return allowed[name]

    def with_word(name: str) -> Sequence[Criterion]:
        return texts[name]

    seen = [
        key for key in life.expected(("Observation",), ["rare"]) if life.stored[key]["meta"]["tag"] == [{"code": "a"}]
    ]
    assert 0 < len(seen) < len(life.expected(("Observation",), ["rare"]))
    assert await walk(store, "Observation?_content=rare&_count=2", PATIENT, tagged) == seen
    both = [key for key in life.expected(("Observation",), ["rare"]) if key in life.expected(TYPES, ["dou"])]
    assert await walk(store, "Observation?_content=rare&_count=2", PATIENT, with_word) == both


async def test_a_chain_finds_all_that_candidates_in_turn_lead_to(store: ResourceStore) -> None:
    life = Life(store, 3)
    await life.live(120)
    await life.catch_up()
    patients = [id_ for _, id_ in life.expected(("Patient",), ["dou"])]
    for number, id_ in enumerate(patients):
        meta = {"versionId": "1", "lastUpdated": "2026-05-01T00:00:00.000Z"}
        goal = {"resourceType": "Goal", "id": f"g{number}", "meta": meta, "subject": {"reference": f"Patient/{id_}"}}
        await put(store, {**goal, "lifecycleStatus": "active", "description": {"text": "x"}})
    for limits in (PATIENT, IMPATIENT, RelationLimits(keys=2), RelationLimits(keys=0, patience=1)):
        found = await walk(store, "Goal?patient._content=dou&_count=4", limits)
        assert sorted(found) == sorted(("Goal", f"g{number}") for number in range(len(patients)))
