"""SearchPlan → MongoDB filter, or pipeline where documents of other collections are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.search.criteria import resolved_in
from fhir_server.search.sort import after
from fhir_server.spec.dates import EARLIEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.plan import SearchPlan
    from fhir_server.search.request import SortKey

Stage = dict[str, Any]


def build_filter(plan: SearchPlan, *, order: Sequence[SortKey] = (), last: Sequence[Any] | None = None) -> Stage:
    """Returns the MongoDB filter of a plan, but for what is joined; with `last`, of what comes after that place in the
    order.
    """
    parts = [asked.mongodb() for asked in (*plan.scans, *plan.filters)]
    if plan.hint is not None and len(parts) > (0 if plan.pair else 1):
        # One of them is enough for the index; each more that could use it makes MongoDB try all of them every time,
        # since it keeps no plans where an index is given.
        parts = [part if number == 0 and not plan.pair else _checked(part) for number, part in enumerate(parts)]
    parts.extend(plan.also)
    if plan.place is not None:
        parts.append(plan.place)
    if last is not None:
        parts.append(after(order, last))
    whole: Stage = {}
    if plan.pair:
        parts.insert(0, {"k": plan.pair[0]} if len(plan.pair) == 1 else {"k": {"$in": list(plan.pair)}})
    elif not (plan.scans or plan.also or plan.place):
        # True for every resource: it lets MongoDB read an index where nothing narrows.
        whole["date"] = {"$gte": EARLIEST}
    if len(parts) == 1 and not whole.keys() & parts[0].keys():
        return {**whole, **parts[0]}
    return {**whole, "$and": parts} if parts else whole


def _checked(part: Stage) -> Stage:
    """Returns the condition for one key in a form that is checked on the document, never answered by an index."""
    key = part.get("k")
    return {"$expr": {"$in": [{"$literal": key}, "$k"]}} if len(part) == 1 and isinstance(key, str) else part


def build_pipeline(
    plan: SearchPlan,
    *,
    order: Sequence[SortKey] = (),
    computed: Sequence[Stage] = (),
    last: Sequence[Any] | None = None,
    limit: int = 0,
) -> list[Stage]:
    """Returns the pipeline of a plan whose matches, or whose order, depend on documents of other collections.

    `computed` are the stages that compute what is sorted by. What is sorted by the document's own fields is sorted
    before anything is joined, so that joining ends with the page.
    """
    place = after(order, last) if last is not None else None
    pipeline: list[Stage] = [{"$match": build_filter(plan, order=order, last=None if computed else last)}]
    sort: list[Stage] = [{"$sort": {key.field: key.direction for key in order}}] if order else []
    if computed:
        pipeline += [*joined(plan), *computed, *([{"$match": place}] if place else []), *sort]
    else:
        pipeline += [*sort, *joined(plan)]
    if limit:
        pipeline.append({"$limit": limit})
    return pipeline


def joined(plan: SearchPlan) -> list[Stage]:
    """Returns the stages that join what the plan's relations need, and keep the documents that fulfil them."""
    if not plan.joins:
        return []
    return [*join_stages(plan), {"$match": {"$and": [asked.mongodb() for asked in plan.joins]}}]


def join_stages(plan: SearchPlan) -> list[Stage]:
    """Returns the stages that join what the plan's relations need."""
    return [stage for asked in plan.joins for found in resolved_in(asked.criterion) for stage in found.stages]
