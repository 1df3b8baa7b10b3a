"""How many index keys MongoDB keeps for an Observation, counted by MongoDB over all indexes of its collection."""

from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

COLLECTION = "Observation"
SCRATCH = "benchmark_index_keys"
SKIPPED_OPTIONS = frozenset({"v", "key", "ns"})


def keys_per_observation(uri: str, database: str) -> tuple[float, int]:
    """Returns the mean over all stored Observations, and the count for the one with the most index values.

    The latter is copied alone into a scratch collection with the same indexes, which is removed again.
    """
    with MongoClient[dict[str, Any]](uri, directConnection=True) as client:
        stored = client[database]
        mean = _keys(stored, COLLECTION) / stored[COLLECTION].count_documents({})
        return mean, _keys_of_the_richest(stored)


def _keys(database: Database[dict[str, Any]], collection: str) -> int:
    counted: dict[str, int] = database.command("validate", collection)["keysPerIndex"]
    return sum(counted.values())


def _keys_of_the_richest(database: Database[dict[str, Any]]) -> int:
    source, scratch = database[COLLECTION], database[SCRATCH]
    scratch.drop()
    for name, options in source.index_information().items():
        if name != "_id_":
            extra = {key: value for key, value in options.items() if key not in SKIPPED_OPTIONS}
            scratch.create_index(options["key"], name=name, **extra)
    entries = {"$add": [_length(f"${name}") for name in ("k", "d", "n")]}
    richest = source.aggregate([{"$set": {"_entries": entries}}, {"$sort": {"_entries": -1}}, {"$limit": 1}])
    for document in richest:
        document.pop("_entries")
        scratch.insert_one(document)
    counted = _keys(database, SCRATCH)
    scratch.drop()
    return counted


def _length(path: str) -> dict[str, Any]:
    return {"$cond": [{"$isArray": path}, {"$size": path}, 0]}
