"""Which CodeableConcepts say the same.

https://hl7.org/fhir/R4/observation-operation-lastn.html: codings are the same by system and code, concepts that share
one are the same, and so on from one to the next; without a coding they are the same by their text, letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def group_by_code(concepts: Sequence[Mapping[str, Any] | None]) -> list[int]:
    """Returns a number for each concept: equal for those that say the same, rising with their first appearance.

    | a | b | c    | numbers |
    |---|---|------|---------|
    | x | y | z    | 0 1 2   |
    | x | y | x, z | 0 1 0   |
    | x | y | x, y | 0 0 0   |
    """
    leaders: dict[Any, Any] = {}

    def leader(identity: Any) -> Any:
        while leaders.setdefault(identity, identity) != identity:
            leaders[identity] = leaders[leaders[identity]]
            identity = leaders[identity]
        return identity

    firsts = []
    for concept in concepts:
        first, *others = _identities(concept)
        firsts.append(first)
        for other in others:
            leaders[leader(other)] = leader(first)
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(leader(first), len(numbers)) for first in firsts]


def _identities(concept: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    codings = [each for each in (concept or {}).get("coding", ()) if each.get("code")]
    if not codings:
        yield "text", (concept or {}).get("text", "")
    for coding in codings:
        yield f"coding {coding.get('system', '')}", coding["code"]
