"""What a commit stores, and what it refuses."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from fhir_server.errors import InvalidContent, TooLarge
from fhir_server.store import Claim, Update, WriteConflict
from tests.store.changes import create, create_at, delete, index, instant, resource, update

if TYPE_CHECKING:
    from fhir_server.store import Change, ResourceStore

pytestmark = pytest.mark.mongo


async def versions(store: ResourceStore, id_: str, resource_type: str = "Observation") -> list[int]:
    page = await store.history(resource_type, id_, count=50)
    return [entry.version_id for entry in page.entries]


async def test_create_is_read_back(store: ResourceStore) -> None:
    await store.commit([create("a", status="final")])
    found = await store.read("Observation", "a")
    assert found is not None
    assert (found.version_id, found.method, found.last_updated) == (1, "POST", instant(0))
    assert found.resource == resource("Observation", "a", status="final")


@pytest.mark.parametrize(
    "number",
    [
        Decimal("1.00"), Decimal("-0.0"), Decimal("0"), Decimal("1E+30"), Decimal("1.5E-20"), Decimal("0.1"),
        Decimal("1234567890123456789012345678901234"), Decimal("-9.999999999999999999999999999999999E+6144"),
        Decimal("1E-6176"), 2**31, -(2**63),
    ],
    ids=str,
)  # fmt: skip
async def test_number_keeps_its_digits(store: ResourceStore, number: Decimal | int) -> None:
    await store.commit([create("a", value=number)])
    found = await store.read("Observation", "a")
    assert found is not None
    assert found.resource is not None
    assert str(found.resource["value"]) == str(number)
    # On the wire nothing tells a Decimal without point and exponent from an integer.
    assert type(found.resource["value"]) is (int if str(number).lstrip("-").isdigit() else Decimal)


async def test_integer_beyond_64_bits_keeps_its_digits(store: ResourceStore) -> None:
    await store.commit([create("a", values=[{"value": 2**64}, 1])])
    found = await store.read("Observation", "a")
    assert found is not None
    assert found.resource is not None
    assert [str(found.resource["values"][0]["value"]), found.resource["values"][1]] == [str(2**64), 1]


@pytest.mark.parametrize(
    ("elements", "error"),
    [
        ({"value": Decimal("1." + "0" * 34)}, InvalidContent),
        ({"value": 10**34 + 1}, InvalidContent),
        ({"value": Decimal("1E+6145")}, InvalidContent),
        ({"value": Decimal("1E-6177")}, InvalidContent),
        ({"value": Decimal("NaN")}, InvalidContent),
        ({"text": "\ud800"}, InvalidContent),
        ({"na\0me": 1}, InvalidContent),
        ({"data": "x" * (16 * 1024 * 1024)}, TooLarge),
    ],
)
async def test_what_cannot_be_stored_is_refused_alone(
    store: ResourceStore, elements: dict[str, Any], error: type[Exception]
) -> None:
    good, bad = store.commit([create("a")]), store.commit([create("b", **elements)])
    answers = await asyncio.gather(good, bad, return_exceptions=True)
    assert answers[0] is None
    assert isinstance(answers[1], error)
    assert await store.existing([("Observation", "a"), ("Observation", "b")]) == {("Observation", "a")}


async def test_update_moves_the_old_version_to_history(store: ResourceStore) -> None:
    await store.commit([create("a", value=Decimal("1.00"))])
    await store.commit([update("a", 1, value=Decimal("2.0"))])
    new, old = await store.read("Observation", "a"), await store.vread("Observation", "a", 1)
    assert new is not None
    assert old is not None
    assert (new.version_id, new.method, old.version_id, old.method) == (2, "PUT", 1, "POST")
    assert old.resource == resource("Observation", "a", value=Decimal("1.00"))
    assert await store.vread("Observation", "a", 3) is None


async def test_delete_leaves_a_version_that_has_no_resource(store: ResourceStore) -> None:
    await store.commit([create("a")])
    await store.commit([delete("a", 1)])
    found = await store.read("Observation", "a")
    assert found is not None
    assert (found.version_id, found.method, found.resource, found.last_updated) == (2, "DELETE", None, instant(2))
    assert await store.existing([("Observation", "a")]) == set()
    assert await store.read_many([("Observation", "a"), ("Observation", "b")]) == {("Observation", "a"): found}
    assert await store.vread("Observation", "a", 2) == found
    assert await store.count("Observation", {}) == 0


@pytest.mark.parametrize("expected", [2, 0])
async def test_update_after_delete_follows_the_deletion(store: ResourceStore, expected: int) -> None:
    await store.commit([create("a")])
    await store.commit([delete("a", 1)])
    await store.commit([Update("Observation", "a", resource("Observation", "a", 3, 3), index("a"), expected)])
    await store.commit([delete("a", 3, minutes=4)])
    await store.commit([update("a", 4, minutes=5)])
    assert await versions(store, "a") == [5, 4, 3, 2, 1]


CONFLICTS: list[tuple[str, Change, str]] = [
    ("create of an id that is taken", create("a"), "exists"),
    ("update of an older version", update("a", 1), "version"),
    ("update of a version to come", update("a", 3), "version"),
    ("update as create of an id that is taken", create_at("a"), "exists"),
    ("update of what never was", update("x", 1), "version"),
    ("update of an older version of a deletion", update("gone", 1), "version"),
    ("update as create over a deletion", create_at("gone"), "version"),
    ("delete of an older version", delete("a", 1), "version"),
    ("delete of a deletion", delete("gone", 2), "version"),
    ("delete of what never was", delete("x", 1), "version"),
]


@pytest.mark.parametrize(("change", "kind"), [row[1:] for row in CONFLICTS], ids=[row[0] for row in CONFLICTS])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "in a bundle"])
async def test_conflict_changes_nothing(store: ResourceStore, change: Change, kind: str, beside: bool) -> None:
    await store.commit([create("a"), create("gone")])
    await store.commit([update("a", 1), delete("gone", 1)])
    others: list[Change] = [create("other"), create("other", "Patient")] if beside else []
    with pytest.raises(WriteConflict) as refused:
        await store.commit([*others, change])
    assert (refused.value.kind, refused.value.resource_type, refused.value.id_) == (kind, "Observation", change.id_)
    assert await versions(store, "a") == [2, 1]
    assert await versions(store, "gone") == [2, 1]
    assert await store.existing([("Observation", "other"), ("Patient", "other"), ("Observation", "x")]) == set()


async def test_claim_is_won_once_of_fifty(store: ResourceStore) -> None:
    attempts = [store.commit([create(f"a{n}", "Patient")], [Claim("k", "Patient", f"a{n}")]) for n in range(50)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    won = [f"a{n}" for n, answer in enumerate(answers) if answer is None]
    assert len(won) == 1
    assert {answer.kind for answer in answers if isinstance(answer, WriteConflict)} == {"claim"}
    assert sum(isinstance(answer, WriteConflict) for answer in answers) == 49
    assert await store.find_claim("k") == won[0]
    assert await store.existing([("Patient", f"a{n}") for n in range(50)]) == {("Patient", won[0])}


async def test_claim_is_replaced_by_who_knows_its_holder(store: ResourceStore) -> None:
    await store.commit([create("a")], [Claim("k", "Observation", "a")])
    with pytest.raises(WriteConflict, match="claim"):
        await store.commit([create("b")], [Claim("k", "Observation", "b", replaces="z")])
    await store.commit([create("c")], [Claim("k", "Observation", "c", replaces="a")])
    assert await store.find_claim("k") == "c"
    assert await store.find_claim("other") is None
    assert await store.existing([("Observation", name) for name in "abc"]) == {
        ("Observation", "a"),
        ("Observation", "c"),
    }


@pytest.mark.parametrize(
    "changes",
    [
        [create("a"), create("a")],
        [create("a"), delete("a", 1)],
        [Update("Observation", "a", resource("Observation", "a", 5), {}, 1)],
    ],
)
async def test_commit_that_contradicts_itself_is_a_fault_of_the_caller(
    store: ResourceStore, changes: list[Change]
) -> None:
    with pytest.raises(ValueError, match=r"once at most|does not follow"):
        await store.commit(changes)


async def test_commit_of_nothing_does_nothing(store: ResourceStore) -> None:
    await store.commit([])
    assert await store.history(count=5) == await store.history("Observation", count=5)


async def test_find_gives_numbers_as_they_were_sent(store: ResourceStore) -> None:
    await store.commit([create("a", value=Decimal("1.00"), count=2**40)])
    [found] = await store.find("Observation", {"resource.value": Decimal("1")}, limit=5)
    assert [str(found["resource"]["value"]), type(found["resource"]["count"])] == ["1.00", int]
    assert found["at"] == instant(0)
