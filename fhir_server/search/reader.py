"""The one way of search to the store: matches, chains, `_has`, includes, totals and conditions all go through here.

What a caller may see is joined in one place, `Reader.query`, for the resource type that is read: no other module of
search calls the store (`tests/architecture/test_search_reads.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fhir_server.errors import TooCostly
from fhir_server.search.beginnings import find_beginning, is_led_by_beginning
from fhir_server.search.candidate_pages import find_any, find_in_turn
from fhir_server.search.candidates import by_candidates, is_default, to_be_counted, with_places
from fhir_server.search.joined_pages import Slice, find_in_chunks, hit_expression, is_streamed
from fhir_server.search.joins import order_stages
from fhir_server.search.plan import BY_DATE, SearchPlan, plan_criteria
from fhir_server.search.query import build_filter, build_pipeline
from fhir_server.search.refusals import OutOfTime, too_costly
from fhir_server.search.resolve import resolve
from fhir_server.search.sort import DEFAULT_ORDER
from fhir_server.store import BODY, Branch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_server.index import SearchParameterRegistry
    from fhir_server.search.candidates import Look
    from fhir_server.search.criteria import Criterion
    from fhir_server.search.request import SortKey
    from fhir_server.store import Gathered, ResourceStore

MAX_TIME_MS = 10_000

Policy = Callable[[str], "Sequence[Criterion]"]
"""Resource type → what a resource of that type has to fulfil for the caller to see it."""


def everything(_resource_type: str) -> Sequence[Criterion]:
    """The policy of a caller who may see all."""
    return ()


@dataclass(frozen=True, slots=True)
class RelationLimits:
    """How much of the inner side of a relation is read before it is joined instead.

    `keys`: most resources that a chain becomes keys of; MongoDB still reads so many ranges of an index in order.
    `referring`: most resources on the other side of `_has`. `counting` and `counting_referring`: the same, where all is
    counted and no order is needed, and where joining finds hardly anything among the first `patience` documents.
    `candidates`: most that postings lead to and that are looked at for a page; `counting_candidates`: the same, where
    all is counted.
    `definitions`: most resources that a chain leads to by their URL; there is no joining beyond.
    """

    keys: int = 100
    referring: int = 200
    counting: int = 10_000
    counting_referring: int = 5_000
    patience: int = 1_000
    definitions: int = 10_000
    candidates: int = 2_000
    counting_candidates: int = 50_000


RELATION_LIMITS = RelationLimits()


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the store about resources of one type, with what the caller may see in it."""

    resource_type: str
    plan: SearchPlan
    criteria: tuple[Criterion, ...] = ()
    also: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of one type where several are read at once: `also` is a MongoDB condition that an index answers.

    Documents come in the `order`, those after `last`, `limit` at most (0 is none).
    """

    resource_type: str
    also: Mapping[str, Any]
    order: Sequence[SortKey] = ()
    last: Sequence[Any] | None = None
    limit: int = 0


@dataclass(slots=True)
class Reader:
    """Reads for one request: what its caller may see, within its time budget of `max_time_ms` over all it asks.

    `notes` gather what turned out while it read, for those who ask how a search was answered; `looks` what postings
    there are of types, read under the lock `looking`.
    """

    store: ResourceStore
    registry: SearchParameterRegistry
    max_time_ms: int = MAX_TIME_MS
    policy: Policy = everything
    relations: RelationLimits = RELATION_LIMITS
    notes: list[str] = field(default_factory=list)
    looks: dict[str, Look | None] = field(default_factory=dict)
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _started: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def query(
        self,
        resource_type: str,
        criteria: Sequence[Criterion] = (),
        *,
        order: Sequence[SortKey] = DEFAULT_ORDER,
        also: Mapping[str, Any] | None = None,
        counting: bool = False,
    ) -> Query:
        """Returns the question for resources that fulfil all criteria, `also` (a MongoDB condition) and the policy.

        Relations are looked up, so that `counting` what they leave, or reading a page of it, costs least. Raises
        InvalidContent for values that are none of their type, TooCostly.
        """
        try:
            known = await resolve(criteria, resource_type, self, counting=counting)
            seen = self.policy(resource_type)
            if seen:
                # Whom the policy lets see is nobody's search: its own relations are looked up without it, and what it
                # asks is checked on what the search finds, as it mostly holds.
                alone = replace(self, policy=everything)
                known += await resolve(seen, resource_type, alone, counting=counting, field="p", by_postings=False)
            known = await with_places(known, counting=counting)
            planned = plan_criteria(known, self.registry, order=order, also=() if also is None else (dict(also),))
            planned = await by_candidates(planned, order, counting=counting)
        except OutOfTime:
            raise too_costly(", ".join(map(str, criteria)) or "_time") from None
        return Query(resource_type, planned, tuple(criteria), also)

    async def find(
        self,
        query: Query,
        *,
        order: Sequence[SortKey] = (),
        last: Sequence[Any] | None = None,
        limit: int = 0,
        projection: Mapping[str, Any] | None = None,
        max_time_ms: int | None = None,
    ) -> list[dict[str, Any]]:
        """Returns the documents of a query, those after `last` in the order, `limit` at most (0 is none).

        Raises TooCostly, which names the costly part.
        """
        planned = query.plan
        budget = self._budget(max_time_ms, lambda: _costly(planned, order))
        if planned.is_in_turn and planned.candidates is not None and is_default(order):
            if limit and not order and last is None:
                return await find_any(self, query, planned.candidates, limit, projection)
            if limit:
                wanted = Slice(DEFAULT_ORDER, last, limit, projection or {})
                return await find_in_turn(self, query, planned.candidates, wanted)
            planned = await to_be_counted(planned)
        if planned.beginning is not None and is_led_by_beginning(planned, order) and limit and projection:
            wanted = Slice(order, last, limit, projection)
            found = await find_beginning(self, query, planned.beginning, wanted)
            if found is not None:
                return found
        if planned.joins and limit and (hit := hit_expression(planned)) is not None and is_streamed(planned, order):
            return await find_in_chunks(self, query, hit, Slice(order or DEFAULT_ORDER, last, limit, projection or {}))
        try:
            if not planned.joins and not any(key.is_computed for key in order):
                return await self.store.find(
                    query.resource_type,
                    build_filter(planned, order=order, last=last),
                    sort=[(key.field, key.direction) for key in order],
                    limit=limit,
                    projection=projection,
                    hint=planned.hint,
                    max_time_ms=budget,
                )
            computed = await order_stages(order, self)
            pipeline = build_pipeline(planned, order=order, computed=computed, last=last, limit=limit)
            if projection is not None:
                pipeline.append({"$project": dict(projection)})
        except TooCostly:
            raise too_costly(_costly(planned, order)) from None
        return await self.run(query, pipeline, limit=limit, order=order, max_time_ms=max_time_ms)

    async def run(
        self,
        query: Query,
        pipeline: Sequence[Mapping[str, Any]],
        *,
        limit: int = 0,
        order: Sequence[SortKey] = (),
        max_time_ms: int | None = None,
    ) -> list[dict[str, Any]]:
        """Returns what a pipeline that was built of the query yields. Raises TooCostly, which names the costly part."""
        hint, budget = query.plan.hint, self._budget(max_time_ms, lambda: _costly(query.plan, order))
        try:
            return await self.store.aggregate(query.resource_type, pipeline, limit=limit, hint=hint, max_time_ms=budget)
        except TooCostly:
            raise too_costly(_costly(query.plan, order)) from None

    async def gather(
        self, parts: Sequence[Part], *, limit: int, fields: Mapping[str, Any] = MappingProxyType({})
    ) -> Gathered:
        """Returns documents of several types with their JSON in one round trip, `limit` at most, in the order of the
        parts; `fields` is the projection of what else is read.

        Raises TooCostly, which names the types.
        """
        while True:
            known = self.store.known_types
            branches = [await self._branch(part) for part in parts if part.resource_type in known]
            budget = self._budget(None)
            try:
                gathered = await self.store.gather(branches, fields, limit=limit, max_time_ms=budget)
            except TooCostly:
                raise too_costly(", ".join(dict.fromkeys(part.resource_type for part in parts))) from None
            if (self.store.known_types - known).isdisjoint(part.resource_type for part in parts):
                return gathered

    async def _branch(self, part: Part) -> Branch:
        if not (part.order or part.limit or self.policy(part.resource_type)):
            # Nothing to look up and nothing to plan: a record asks this of some twenty types at once.
            return Branch(part.resource_type, [{"$match": dict(part.also)}])
        query = await self.query(part.resource_type, order=part.order, also=part.also)
        stages = build_pipeline(query.plan, order=part.order, last=part.last, limit=part.limit)
        return Branch(part.resource_type, stages)

    async def bodies(self, resource_type: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the documents of resources by id, with their bodies (`store.BODY`): those that are there and may be
        seen.

        Where the caller may see all of the type, they are read together with what other requests ask for.
        """
        if not self.policy(resource_type):
            return await self.store.bodies(resource_type, ids)
        query = await self.query(resource_type, also={"_id": {"$in": list(ids)}})
        return await self.find(query, limit=len(ids), projection=BODY)

    async def count(self, query: Query, *, limit: int = 0, max_time_ms: int | None = None) -> int:
        """Returns how many resources a query finds; it stops counting at `limit`, 0 is none. Raises TooCostly."""
        planned = await to_be_counted(query.plan)
        budget = self._budget(max_time_ms, lambda: _costly(planned, ()))
        if planned.joins:
            pipeline = [*build_pipeline(planned, limit=limit), {"$count": "n"}]
            counted = await self.run(replace(query, plan=planned), pipeline, max_time_ms=max_time_ms)
            return int(counted[0]["n"]) if counted else 0
        try:
            condition = build_filter(planned)
            # MongoDB would take `k` for what must not be among the keys, and read all of them.
            hint = BY_DATE if planned.reads_all else None
            return await self.store.count(query.resource_type, condition, limit=limit, hint=hint, max_time_ms=budget)
        except TooCostly:
            raise too_costly(_costly(planned, ())) from None

    async def rough_size(self, resource_type: str) -> int:
        """Returns about how many resources of a type there are, whoever may see them: only to choose a way by."""
        return await self.store.rough_size(resource_type, max_time_ms=self.time_left())

    def time_left(self) -> int:
        """Returns the milliseconds that are left of the budget. Raises TooCostly where there are none."""
        return self._budget(None)

    def _budget(self, max_time_ms: int | None, costly: Callable[[], str] | None = None) -> int:
        """Returns the milliseconds that are left, or `max_time_ms` of them; where none are, `costly` names the part."""
        left = self.max_time_ms - int((asyncio.get_running_loop().time() - self._started) * 1000)
        if left <= 0:
            raise OutOfTime.on("_time") if costly is None else too_costly(costly())
        return left if max_time_ms is None else min(left, max_time_ms)


def _costly(planned: SearchPlan, order: Sequence[SortKey]) -> str:
    """Returns what of a query costs most: what is joined, an order that is computed, or all that it asks."""
    if planned.joins:
        return ", ".join(map(str, planned.joins))
    if any(key.is_computed for key in order):
        return "_sort"
    return ", ".join(map(str, (*planned.scans, *planned.filters))) or "_sort"
