"""Relations → conditions: chains and `_has` are looked up from the inside out.

Where few resources fulfil the inner side, they become whole keys (`subject=Patient/1`) or ids, which an index answers.
Where many do, the inner side is joined to what the rest of the search finds instead, document by document, so that a
page costs no more than it shows.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from fhir_server.errors import InvalidContent
from fhir_server.index import Condition, any_of
from fhir_server.index.entries import capped
from fhir_server.search.absence import found_by_columns, is_absence
from fhir_server.search.canonicals import is_canonical, is_literal, references_to, referred_to
from fhir_server.search.coded import is_coded, looked_up
from fhir_server.search.contained import inside, ways_into, whole_keys
from fhir_server.search.criteria import All, Chain, Clause, Criterion, Either, Member, Not, Resolved, ReverseChain
from fhir_server.search.hierarchies import is_hierarchical, widened
from fhir_server.search.joins import join_referring, join_targets, target_ids
from fhir_server.search.plan import paired_tokens
from fhir_server.search.refusals import too_costly
from fhir_server.search.texts import found_by_terms, is_text
from fhir_server.search.units import is_converted, with_units
from fhir_server.spec.references import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fhir_server.search.reader import Query, Reader


async def resolve(
    criteria: Sequence[Criterion],
    resource_type: str,
    reader: Reader,
    *,
    counting: bool = False,
    field: str = "j",
    by_postings: bool = True,
) -> tuple[Criterion, ...]:
    """Returns the criteria with each relation as `Resolved`; `field` is how names of joined fields begin. Texts, units
    and absences are looked up where they may be, `by_postings`, and where nothing else leads to few.

    Raises what `Reader.query` and `Reader.find` do.
    """
    if all(type(each) is Clause and not _is_looked_up(each, reader) for each in criteria):
        return tuple(criteria)
    # Of what leads to few, texts, units and absences are checked: nothing is gained by looking them up.
    is_small = any(_is_telling(each, reader) for each in criteria)
    lookup = _Lookup(resource_type, reader, counting, field)
    return await (lookup.together(criteria) if by_postings and not is_small else lookup.checked(criteria))


def _is_looked_up(clause: Clause, reader: Reader) -> bool:
    if is_absence(clause) or is_text(clause) or is_converted(clause):
        return True
    return is_hierarchical(clause) or is_coded(clause, reader)


def _is_telling(criterion: Criterion, reader: Reader) -> bool:
    """True for a clause that few resources fulfil: of one patient, of an id or an identifier."""
    if not isinstance(criterion, Clause) or criterion.modifier is not None:
        return False
    parameter = criterion.parameter
    return parameter.code == "_id" or parameter.types == {"Identifier"} or reader.registry.is_patient(parameter)


class _Lookup:
    """Looks up the relations of one question."""

    def __init__(self, resource_type: str, reader: Reader, counting: bool, field: str) -> None:
        self._type = resource_type
        self._reader = reader
        self._counting = counting
        self._fields = (f"{field}{number}" for number in count())

    async def together(self, criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
        """Returns criteria that have to hold together without relations that are not looked up, and with what the
        postings say of them.
        """
        apart = tuple(part for each in criteria for part in (each.criteria if isinstance(each, All) else (each,)))
        known = await asyncio.gather(*(self._known(each) for each in apart))
        found = await found_by_columns(known, self._type, self._reader)
        if any(isinstance(each, Resolved) and each.candidates and each.candidates.are_few for each in found):
            return found  # texts are checked on what these are
        return tuple(await asyncio.gather(*(self._text(each) for each in found)))

    async def _text(self, criterion: Criterion) -> Criterion:
        if not isinstance(criterion, Clause) or not is_text(criterion):
            return criterion
        return await found_by_terms(criterion, self._type, self._reader)

    async def checked(self, criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
        """Returns the criteria without relations that are not looked up; what remains is checked on documents."""
        return tuple(await asyncio.gather(*(self._checked(each) for each in criteria)))

    async def known(self, criterion: Criterion) -> Criterion:
        """Returns what `together` does of one criterion."""
        found = await self.together((criterion,))
        return found[0] if len(found) == 1 else All(found)

    async def _known(self, criterion: Criterion) -> Criterion:
        match criterion:
            case Clause() if is_converted(criterion):
                return await with_units(criterion, self._type, self._reader)
            case All(criteria):
                return All(await self.together(criteria))
            case Either(criteria) if not is_absence(criterion):
                return Either(tuple(await asyncio.gather(*(self.known(each) for each in criteria))))
        return await self._checked(criterion)

    async def _checked(self, criterion: Criterion) -> Criterion:
        match criterion:
            case Clause() if is_hierarchical(criterion):
                return await widened(criterion, self._reader)
            case Clause() if is_coded(criterion, self._reader):
                return await looked_up(criterion, self._reader)
            case Chain():
                return await self._chain(criterion)
            case ReverseChain():
                return await self._reverse(criterion)
            case Member():
                return await self._member(criterion)
            case All(criteria) | Either(criteria):
                return type(criterion)(await self.checked(criteria))
            case Not(inner):
                # What the postings know is where to look, not whether something is not so.
                return Not(await self._checked(inner))
        return criterion

    async def _chain(self, chain: Chain) -> Criterion:
        within = inside(chain)
        keys = whole_keys(within, self._reader.registry)
        outside = await self._outside(chain)
        if keys is not None and not outside.stages:
            return replace(outside, condition=any_of([outside.condition, keys]))
        ways = [way for target, _ in chain.targets for way in ways_into(chain.parameter, target)]
        if not within or not await self._contains(ways):
            return outside
        there = Resolved(chain, Condition(tuple(ways)), "contained")
        return Either((outside, All((there, await self.known(Either(tuple(within)))))))

    async def _contains(self, ways: Sequence[str]) -> bool:
        """Returns whether any resource of the type contains one that one of the ways leads to."""
        query = await self._reader.query(self._type, also={"k": {"$in": list(ways)}})
        return bool(await self._reader.find(query, limit=1, projection={"_id": 1}))

    async def _outside(self, chain: Chain) -> Resolved:
        """Returns what the chain comes down to for targets that are resources of their own."""
        targets = await self._stored(chain.targets)
        return _together(chain, await asyncio.gather(*(self._target(chain, *target) for target in targets)))

    async def _stored(self, targets: tuple[tuple[str, Criterion], ...]) -> tuple[tuple[str, Criterion], ...]:
        """Returns the targets of types that have resources, where asking each of them would be much."""
        if len(targets) <= _FEW_TYPES:
            return targets
        existing = set(await self._reader.store.collections.existing_types())
        return tuple(target for target in targets if target[0] in existing)

    async def _target(self, chain: Chain, target: str, inner: Criterion) -> Resolved:
        query = await self._reader.query(target, (inner,))
        by_url = is_canonical(chain.parameter, target, self._reader.registry)
        limits = self._reader.relations
        limit = limits.definitions if by_url else limits.counting if self._counting else limits.keys
        fields = {"_id": 1, **({"resource.url": 1, "resource.version": 1} if by_url else {})}
        documents = await self._reader.find(query, limit=limit + 1, projection=fields)
        if len(documents) > limit and by_url:
            raise too_costly(chain.name)
        if len(documents) > limit:
            return self._join(chain, query, limit)
        condition = Condition()
        if is_literal(chain.parameter):
            condition = Condition(tuple(_keys(chain, target, [document["_id"] for document in documents])))
        if by_url:
            condition = any_of([condition, references_to(chain.parameter, documents)])
        return Resolved(chain, condition, f"{len(documents)} {target}")

    def _join(self, chain: Chain, query: Query, limit: int) -> Resolved:
        name = next(self._fields)
        stages = join_targets(name, chain.parameter, query)
        return Resolved(chain, _joined(name), f"> {limit} {query.resource_type}, joined", stages, (name,))

    async def _reverse(self, reverse: ReverseChain) -> Resolved:
        source = reverse.parameter.resource_type
        query = await self._reader.query(source, (reverse.criterion,))
        limits = self._reader.relations
        limit = limits.counting_referring if self._counting else limits.referring
        by_url = is_canonical(reverse.parameter, self._type, self._reader.registry)
        fields = {"ids": target_ids(reverse.parameter, self._type), **({"k": 1} if by_url else {})}
        documents = await self._reader.find(query, limit=limit + 1, projection=fields)
        if len(documents) > limit:
            name = next(self._fields)
            pairs = self._pairs(reverse, query)
            stages = join_referring(name, reverse.parameter, self._type, query, by_url=by_url, pairs=pairs)
            return Resolved(reverse, _joined(name), f"> {limit} {source}, joined", stages, (name,))
        ids = list(dict.fromkeys(id_ for document in documents for id_ in document["ids"]))
        condition = Condition(others=({"_id": {"$in": ids}},))
        if by_url:
            condition = any_of([condition, referred_to(reverse.parameter, documents)])
        return Resolved(reverse, condition, f"{len(documents)} {source}")

    def _pairs(self, reverse: ReverseChain, query: Query) -> tuple[str, ...]:
        """Returns tokens of which a referring resource has one, indexed by patient and token together."""
        is_patient = self._type == "Patient" and self._reader.registry.is_patient(reverse.parameter)
        return paired_tokens(query.plan) if is_patient else ()

    async def _member(self, member: Member) -> Resolved:
        lists = {"_id": {"$in": list(member.lists)}}
        query = await self._reader.query("List", also=lists)
        fields = {"resource.entry.item.reference": 1, "resource.entry.deleted": 1}
        documents = await self._reader.find(query, projection=fields)
        entries = [entry for document in documents for entry in document["resource"].get("entry", ())]
        texts = [entry["item"].get("reference", "") for entry in entries if entry.get("deleted") is not True]
        ids = list(dict.fromkeys(_ids_of(self._type, texts, self._reader.registry.context.base_urls)))
        return Resolved(member, Condition(others=({"_id": {"$in": ids}},)), f"{len(ids)} entries")


_FEW_TYPES = 10


def _keys(chain: Chain, target: str, ids: Sequence[str]) -> Iterator[str]:
    for home in chain.parameter.homes:
        if home.target in (None, target):
            yield from (capped(f"{home.code}={target}/{id_}") for id_ in ids)


def _ids_of(resource_type: str, texts: Iterable[str], base_urls: Sequence[str]) -> Iterator[str]:
    """Yields the ids of those references that lead to resources of the type on this server."""
    for text in texts:
        try:
            reference = parse_reference(text, base_urls)
        except InvalidContent:
            continue
        if reference.is_local and reference.resource_type == resource_type and reference.id_:
            yield reference.id_


def _joined(name: str) -> Condition:
    return Condition(others=({f"{name}.0": {"$exists": True}},))


def _together(chain: Chain, found: Sequence[Resolved]) -> Resolved:
    if len(found) == 1:
        return found[0]
    stages = tuple(stage for each in found for stage in each.stages)
    notes = ", ".join(each.note for each in found) or "nothing stored"
    joined = tuple(name for each in found for name in each.joined)
    return Resolved(chain, any_of(each.condition for each in found), notes, stages, joined)
