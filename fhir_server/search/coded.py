"""`code:in`, `:not-in`, `:above`, `:below` → the same clause, with what the terminology answers, clients' part too.

https://hl7.org/fhir/R4/search.html#modifiers

Value sets and code systems that clients stored are in the database: their codes are looked up before a clause is
planned, as the resources of a hierarchy are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fhir_server.index import CODED, named_code
from fhir_server.index.entries import split, unescape
from fhir_server.search.criteria import Clause, Criterion

if TYPE_CHECKING:
    from fhir_server.index import StoredConcepts
    from fhir_server.search.reader import Reader


@dataclass(frozen=True, slots=True)
class _Answers:
    """`Concepts` of one clause: what was looked up for its values."""

    value_sets: Mapping[str, Mapping[str, Collection[str]] | None]
    codes: Mapping[tuple[str, str], Collection[str] | None]

    def members(self, value_set: str) -> Mapping[str, Collection[str]] | None:
        return self.value_sets.get(value_set)

    def related(self, system: str, code: str, *, above: bool) -> Collection[str] | None:
        return self.codes.get((system, code))


def is_coded(criterion: Criterion, reader: Reader) -> bool:
    """True for a clause whose codes have to be looked up before it can be planned."""
    if not isinstance(criterion, Clause) or criterion.modifier not in CODED or criterion.concepts is not None:
        return False
    return criterion.parameter.type == "token" and reader.registry.stored_concepts is not None


async def looked_up(clause: Clause, reader: Reader) -> Clause:
    """Returns the clause with the codes that its values stand for.

    Raises InvalidContent for a value of `:above` or `:below` that names no code.
    """
    stored = reader.registry.stored_concepts
    if stored is None:
        return clause
    if clause.modifier in ("in", "not-in"):
        named = [unescape(value.text) for value in clause.values]
        return replace(clause, concepts=_Answers({each: await stored.members(each) for each in named}, {}))
    return replace(clause, concepts=_Answers({}, await _related(clause, stored)))


async def _related(clause: Clause, stored: StoredConcepts) -> dict[tuple[str, str], Collection[str] | None]:
    modifier, found = clause.modifier or "", {}
    for value in clause.values:
        parts = [unescape(part) for part in split(value.text, "|")]
        system, code = named_code(clause.parameter, modifier, parts)
        found[system, code] = await stored.related(system, code, above=modifier == "above")
    return found
