"""Stages that join to a document the resources of another type that a relation asks for.

https://www.mongodb.com/docs/manual/reference/operator/aggregation/lookup/

Each is found by its id, or by the key of its reference, so that joining costs a few index keys per document; one is
enough to know that the relation holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.search.key_expressions import texts_of, together
from fhir_server.search.query import build_filter, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.index import SearchParameter
    from fhir_server.search.reader import Query, Reader
    from fhir_server.search.request import SortKey

Stage = dict[str, Any]


def join_targets(name: str, parameter: SearchParameter, query: Query) -> tuple[Stage, ...]:
    """Returns the stages after which the field `name` holds one of the resources of the query that the document refers
    to, if there is one.
    """
    return (
        {"$set": {f"{name}_ids": target_ids(parameter, query.resource_type)}},
        _lookup(name, query, "_id", _holds(query)),
    )


def join_referring(
    name: str, parameter: SearchParameter, target: str, query: Query, *, by_url: bool, pairs: Sequence[str] = ()
) -> tuple[Stage, ...]:
    """Returns the stages after which the field `name` holds one of the resources of the query that refer to the
    document, of type `target`, if there is one; with `by_url` also those that refer to it by its URL.

    `pairs` are tokens each of them has one of, where `target` is the patient it is indexed under together with them.
    """
    if pairs:
        keys: list[Stage] = [{"$concat": ["@", "$_id", {"$literal": f"|{token}"}]} for token in pairs]
        return {"$set": {f"{name}_ids": keys}}, _lookup(name, query, "k", _holds(query))
    starts = [f"{home.code}={target}/" for home in parameter.homes if home.target in (None, target)]
    keys = [{"$concat": [{"$literal": start}, "$_id"]} for start in starts]
    if not by_url:
        return {"$set": {f"{name}_ids": keys}}, _lookup(name, query, "k", _holds(query))
    plain: list[Stage] = [{"$concat": [{"$literal": f"{home.code}="}, "$resource.url"]} for home in parameter.homes]
    keys += [{"$concat": [each, "|", "$resource.version"]} for each in plain]
    by_plain_url = _lookup(f"{name}_plain", query, "k", [_NAMES_NO_VERSION, *_holds(query)])
    by_plain_url["$lookup"]["let"] = {"plain": f"${name}_plain_ids"}
    return (
        {"$set": {f"{name}_ids": keys, f"{name}_plain_ids": plain}},
        _lookup(name, query, "k", _holds(query)),
        by_plain_url,
        {"$set": {name: {"$concatArrays": [f"${name}", f"${name}_plain"]}}},
    )


_VERSIONED = {"$map": {"input": "$k", "as": "key", "in": {"$eq": [{"$indexOfBytes": ["$$key", "$$start"]}, 0]}}}
_NAMES_NO_VERSION: Stage = {
    "$match": {
        "$expr": {
            "$anyElementTrue": {
                "$map": {
                    "input": "$$plain",
                    "as": "url",
                    "in": {
                        "$let": {
                            "vars": {"start": {"$concat": ["$$url", "|"]}},
                            "in": {"$and": [{"$in": ["$$url", "$k"]}, {"$not": {"$anyElementTrue": _VERSIONED}}]},
                        }
                    },
                }
            }
        }
    }
}
"""Keeps the documents that have one of the keys `$$plain`, and not the same with a version."""


async def order_stages(order: Sequence[SortKey], reader: Reader) -> list[Stage]:
    """Returns the stages that compute what is sorted by where it is no field of the document.

    Resources that the caller may not see give no value.
    """
    stages: list[Stage] = []
    for key in order:
        if key.link is None:
            stages += [{"$set": {key.field: key.value}}] if key.value is not None else []
            continue
        names = []
        for target, value in key.link.ends:
            name = f"{key.field}_{target}"
            query = await reader.query(target)
            holds = [{"$match": build_filter(query.plan)}, *joined(query.plan), {"$project": {"v": value}}]
            stages.append({"$set": {f"{name}_ids": target_ids(key.link.parameter, target)}})
            stages.append(_lookup(name, query, "_id", holds))
            names.append(f"${name}.v")
        best = "$min" if key.direction == 1 else "$max"
        found = {best: names[0] if len(names) == 1 else {"$concatArrays": names}}
        stages.append({"$set": {key.field: {"$ifNull": [found, "$$REMOVE"]}}})
    return stages


def target_ids(parameter: SearchParameter, target: str) -> Stage:
    """Returns the expression for the ids of the resources of a type that a document refers to."""
    codes = [home.code for home in parameter.homes if home.target in (None, target)]
    return together([texts_of(code, target=target, without=len(f"{code}={target}/")) for code in codes])


def _holds(query: Query) -> list[Stage]:
    """Returns what a joined document goes through: one that fulfils the query is enough."""
    return [{"$match": build_filter(query.plan)}, *joined(query.plan), {"$limit": 1}, {"$project": {"_id": 1}}]


def _lookup(name: str, query: Query, foreign: str, pipeline: list[Stage]) -> Stage:
    return {
        "$lookup": {
            "from": query.resource_type,
            "localField": f"{name}_ids",
            "foreignField": foreign,
            "pipeline": pipeline,
            "as": name,
        }
    }
