"""Stages that join to a document the resources of another type that a relation asks for.

https://www.mongodb.com/docs/manual/reference/operator/aggregation/lookup/

Each is found by its id, or by the key of its reference, so that joining costs a few index keys per document; one is
enough to know that the relation holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.search.query import build_filter, joined

if TYPE_CHECKING:
    from fhir_server.index import SearchParameter
    from fhir_server.search.reader import Query

Stage = dict[str, Any]


def join_targets(name: str, parameter: SearchParameter, query: Query) -> tuple[Stage, ...]:
    """Returns the stages after which the field `name` holds one of the resources of the query that the document refers
    to, if there is one.
    """
    return (
        {"$set": {f"{name}_ids": target_ids(parameter, query.resource_type)}},
        _lookup(name, query, "_id", _holds(query)),
    )


def join_referring(name: str, parameter: SearchParameter, target: str, query: Query) -> tuple[Stage, ...]:
    """Returns the stages after which the field `name` holds one of the resources of the query that refer to the
    document, of type `target`, if there is one.
    """
    starts = [f"{home.code}={target}/" for home in parameter.homes if home.target in (None, target)]
    keys = [{"$concat": [{"$literal": start}, "$_id"]} for start in starts]
    return {"$set": {f"{name}_ids": keys}}, _lookup(name, query, "k", _holds(query))


def target_ids(parameter: SearchParameter, target: str) -> Stage:
    """Returns the expression for the ids of the resources of a type that a document refers to."""
    arrays = [_ids(f"{home.code}={target}/") for home in parameter.homes if home.target in (None, target)]
    return arrays[0] if len(arrays) == 1 else {"$concatArrays": arrays}


def _ids(start: str) -> Stage:
    begins = {"$eq": [{"$indexOfBytes": ["$$this", {"$literal": start}, 0, len(start.encode())]}, 0]}
    found = {"$filter": {"input": "$k", "cond": begins}}
    return {"$map": {"input": found, "in": {"$substrBytes": ["$$this", len(start.encode()), -1]}}}


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
