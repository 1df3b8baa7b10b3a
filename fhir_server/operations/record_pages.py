"""A record page by page: sections of the compartment one after the other, then what their members refer to.

The place where a page begins is in its token: the section, and the last resource of it. References of earlier pages are
found again where they are needed, so that nothing is kept between two pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from fhir_server.operations.record_selection import Section, Selection
from fhir_server.search import Found, Place, Reader, place_of, sign
from fhir_server.search.page import found_in
from fhir_server.search.reader import Part
from fhir_server.search.record import RECORD_FIELDS, Reference, read_all_others, references_in
from fhir_server.search.sort import DEFAULT_ORDER

_SCAN = 1000
"""Members whose references are read at a time."""
_SLICE = 500
"""References that are looked up at a time."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page; `total` is the number of members where the page holds all, `next_page` the token of the next."""

    members: tuple[Found, ...]
    others: tuple[Found, ...] = ()
    total: int | None = None
    next_page: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """After which resource a page begins; `values` are its date and id, or its type and id in the last section."""

    section: int
    values: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Slice:
    """Members from a place on; `end` is the place of the last, None where none follow."""

    members: list[Found]
    end: _Place | None


async def read_page(selection: Selection, reader: Reader, page_key: bytes) -> RecordPage:
    """Returns the page that `selection.request.page` begins. Raises InvalidContent for a token that is not its own."""
    place = _place(selection, page_key)
    sections = selection.sections()
    members: list[Found] = []
    end: _Place | None = place
    if place.section < len(sections):
        part = await _read_members(selection, sections, place, selection.count, reader)
        members, end = part.members, part.end
        if end is not None or selection.patient is None:
            others = () if selection.patient else await _beyond_compartments(selection, members, reader)
            return RecordPage(tuple(members), others, next_page=_token(selection, end, page_key))
        end = _Place(len(sections))
    is_whole = place == _Place(0)
    # Types outside the compartment may be referred to by members of types that were not asked for.
    is_enough = is_whole and (not selection.types or selection.types <= {each.resource_type for each in sections})
    references = _references(members) if is_enough else await _all_references(selection, sections, reader)
    others, more = await _read_others(selection, references, end, selection.count - len(members), reader)
    return RecordPage(tuple(members), others, len(members) if is_whole else None, _token(selection, more, page_key))


def _place(selection: Selection, page_key: bytes) -> _Place:
    if not selection.request.page:
        return _Place(0)
    section, *values = place_of(selection.request, page_key).last or ("0",)
    return _Place(int(section), tuple(values) or None)


def _token(selection: Selection, place: _Place | None, page_key: bytes) -> str | None:
    if place is None:
        return None
    return sign(selection.request, Place((str(place.section), *(place.values or ()))), page_key)


async def _read_members(
    selection: Selection, sections: Sequence[Section], place: _Place, count: int, reader: Reader
) -> _Slice:
    parts = []
    for number, section in enumerate(sections[place.section :], place.section):
        if selection.wants(section.resource_type):
            condition = {**section.condition, **selection.restriction(section.resource_type)}
            last = place.values if number == place.section else None
            parts.append(Part(section.resource_type, condition, DEFAULT_ORDER, last, count + 1))
    gathered = await reader.gather(parts, limit=count, fields=RECORD_FIELDS)
    members = [found_in(document) for document in gathered.documents]
    if gathered.is_whole or not members:
        return _Slice(members, None)
    final = gathered.documents[-1]
    return _Slice(
        members, _Place(_section_of(final, selection, sections), (final["date"].replace(tzinfo=UTC), final["_id"]))
    )


def _section_of(document: dict[str, Any], selection: Selection, sections: Sequence[Section]) -> int:
    """Returns the number of the section that a document was found in: of two on Patients the first is the patient's."""
    types = [section.resource_type for section in sections]
    is_patient = selection.patient in (None, document["_id"]) and document["t"] == "Patient"
    return 0 if is_patient else types.index(document["t"], 1)


def _references(members: Sequence[Found]) -> set[Reference]:
    """Returns what the members refer to beyond themselves."""
    references: set[Reference] = set()
    for member in members:
        references |= references_in(member.json)
    return references - {(member.resource_type, member.id_) for member in members}


async def _all_references(selection: Selection, sections: Sequence[Section], reader: Reader) -> set[Reference]:
    """Returns what all members refer to beyond themselves, a batch of members in memory at a time."""
    references: set[Reference] = set()
    seen: set[Reference] = set()
    place: _Place | None = _Place(0)
    selection = replace(selection, types=frozenset())
    while place is not None:
        part = await _read_members(selection, sections, place, _SCAN, reader)
        for member in part.members:
            references |= references_in(member.json)
            seen.add((member.resource_type, member.id_))
        place = part.end
    return references - seen


async def _read_others(
    selection: Selection, references: set[Reference], place: _Place | None, room: int, reader: Reader
) -> tuple[tuple[Found, ...], _Place | None]:
    """Returns the referred resources after a place, `room` at most, and the place of the last where more may follow."""
    begin = place.values if place is not None and place.values else ("", "")
    wanted = sorted(each for each in references if each > begin and selection.wants(each[0]))
    section = place.section if place is not None else 0
    others: list[Found] = []
    at = 0
    while at < len(wanted) and len(others) < room:
        part = wanted[at : at + _SLICE]
        at += len(part)
        here = await read_all_others(part, reader, selection.changed())
        others += [here[each] for each in part if each in here]
    if len(others) > room or (at < len(wanted)):
        others = others[:room]
        last = (others[-1].resource_type, others[-1].id_) if others else begin
        return tuple(others), _Place(section, last)
    return tuple(others), None


async def _beyond_compartments(selection: Selection, members: Sequence[Found], reader: Reader) -> tuple[Found, ...]:
    """Returns what the members of one page refer to that stands in nobody's compartment."""
    wanted = sorted(each for each in _references(members) if selection.wants(each[0]))
    others: list[Found] = []
    for at in range(0, len(wanted), _SLICE):
        part = wanted[at : at + _SLICE]
        here = await read_all_others(part, reader, {"patient": None, **selection.changed()})
        others += [here[each] for each in part if each in here]
    return tuple(others)
