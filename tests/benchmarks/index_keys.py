"""How many index keys MongoDB keeps for an Observation, counted by MongoDB over all indexes of its collection."""

from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

COLLECTION = "Observation"
SCRATCH = "benchmark_index_keys"
SAMPLE = 40
SKIPPED_OPTIONS = frozenset({"v", "key", "ns"})


def keys_per_observation(uri: str, database: str) -> list[float]:
    """Returns the number of keys of single Observations: a random sample, and the one with most index values.

    Each is copied alone into a scratch collection with the same indexes, which is removed again.
    """
    with MongoClient[dict[str, Any]](uri, directConnection=True) as client:
        stored = client[database]
        scratch = _build_scratch(stored)
        values = {"$add": [_length(f"${name}") for name in ("k", "d", "n")]}
        richest: list[dict[str, Any]] = [
            {"$set": {"_values": values}},
            {"$sort": {"_values": -1}},
            {"$limit": 1},
            {"$unset": "_values"},
        ]
        counted: list[float] = []
        for pipeline in (richest, [{"$sample": {"size": SAMPLE}}]):
            for document in stored[COLLECTION].aggregate(pipeline):
                scratch.insert_one(document)
                counted.append(float(sum(stored.command("validate", SCRATCH)["keysPerIndex"].values())))
                scratch.delete_one({"_id": document["_id"]})
        scratch.drop()
        return counted


def _build_scratch(database: Database[dict[str, Any]]) -> Any:
    scratch = database[SCRATCH]
    scratch.drop()
    for name, options in database[COLLECTION].index_information().items():
        if name != "_id_":
            extra = {key: value for key, value in options.items() if key not in SKIPPED_OPTIONS}
            scratch.create_index(options["key"], name=name, **extra)
    return scratch


def _length(path: str) -> dict[str, Any]:
    return {"$cond": [{"$isArray": path}, {"$size": path}, 0]}
