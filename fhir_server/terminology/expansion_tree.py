"""Codes of an expansion below those that they belong to. https://hl7.org/fhir/R4/valueset.html#expansion

A code goes below the nearest code above it that is in the expansion too: where that between them is left out, below the
next one. Codes that the value set names one by one stay as it names them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fhir_server.terminology.member import Member

_Place = tuple[str, str, str]


def nest(members: Sequence[Member], build: Callable[[Member], dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the entries of `expansion.contains`, each built by `build`, with what is below in its own `contains`."""
    entries = {member.place: build(member) for member in members}
    nestable = {member.place: member for member in members if not member.row and member.provider}
    above: dict[_Place, _Place] = {}
    top: list[dict[str, Any]] = []
    for member in members:
        place = member.place
        parent = _nearest(member, nestable) if place in nestable else None
        if parent is None or _leads_to(parent, place, above):
            top.append(entries[place])
        else:
            above[place] = parent
            entries[parent].setdefault("contains", []).append(entries[place])
    return top


def _nearest(member: Member, nestable: dict[_Place, Member]) -> _Place | None:
    """Returns the nearest code above that is in the expansion, the system's first parent before its others."""
    provider = member.provider
    if provider is None:
        return None
    level, seen = list(provider.parents(member.code)), {member.code}
    while level:
        for code in level:
            place = (member.system, member.version, code)
            if place in nestable and code != member.code:
                return place
        seen.update(level)
        level = [parent for code in level for parent in provider.parents(code) if parent not in seen]
    return None


def _leads_to(start: _Place, end: _Place, above: dict[_Place, _Place]) -> bool:
    """True where going up from `start` comes to `end`: a system whose hierarchy is a circle."""
    place: _Place | None = start
    while place is not None:
        if place == end:
            return True
        place = above.get(place)
    return False
