"""Which resources are known to be there, and for how long."""

from __future__ import annotations

import pytest

from fhir_server.store.known import KNOWN_S, MOST_KEYS, KnownKeys

A, B = ("Patient", "a"), ("Patient", "b")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> KnownKeys:
    return KnownKeys(clock)


def test_keys_are_known_for_a_while_after_they_were_asked_for(known: KnownKeys, clock: Clock) -> None:
    asked_at = known.now()
    clock.now += 1
    known.remember([A], asked_at)
    assert known.to_ask([A, B]) == [B]
    clock.now = asked_at + KNOWN_S + 0.01
    assert known.to_ask([A, B]) == [A, B]


def test_deleted_keys_are_unknown_at_once(known: KnownKeys) -> None:
    known.remember([A, B], known.now())
    known.forget([A])
    assert known.to_ask([A, B]) == [A]


def test_what_was_asked_before_a_deletion_is_not_believed(known: KnownKeys, clock: Clock) -> None:
    asked_at = known.now()
    clock.now += 0.1
    known.forget([A])
    known.remember([A, B], asked_at)
    assert known.to_ask([A, B]) == [A, B]
    clock.now += 0.1
    known.remember([B], known.now())
    assert known.to_ask([B]) == []


def test_forgetting_nothing_changes_nothing(known: KnownKeys) -> None:
    known.forget([])
    known.remember([A], known.now())
    assert known.to_ask([A]) == []


def test_memory_is_bounded(known: KnownKeys, clock: Clock) -> None:
    old = [("Patient", f"o{n}") for n in range(MOST_KEYS)]
    known.remember(old, known.now())
    clock.now += KNOWN_S + 1
    known.remember([A], known.now())
    assert known.to_ask([A, old[0]]) == [old[0]]
    fresh = [("Patient", f"f{n}") for n in range(MOST_KEYS)]
    known.remember(fresh, known.now())
    known.remember([B], known.now())
    assert known.to_ask([B, fresh[0]]) == [fresh[0]]


def test_keys_in_use_are_asked_for_again_with_the_first_that_has_to_be(known: KnownKeys, clock: Clock) -> None:
    known.remember([A], known.now())
    clock.now += KNOWN_S * 0.4
    assert known.to_ask([A]) == []
    assert known.to_ask([B]) == [B], "A is young enough"
    clock.now += KNOWN_S * 0.3
    assert known.to_ask([A]) == []
    assert known.to_ask([B]) == [B, A]
    assert known.to_ask([B]) == [B], "A is under way"
    clock.now += KNOWN_S * 0.1
    assert known.to_ask([A, B]) == [B, A]
    known.forget([A])
    assert known.to_ask([B]) == [B]
