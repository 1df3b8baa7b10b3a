"""Builds what is missing of the index: entries of new search parameters, and of those a new server writes otherwise.

A walk goes through the ids of a type and indexes anew what carries another stamp than the rules have; it is
checkpointed, and doing it twice is harmless. A second walk follows once no process can be writing by older rules: only
then is a parameter complete.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fhir_server.index import FIELDS, INDEX_VERSION, Indexer
from fhir_server.interactions.parameter_watch import ParameterWatch
from fhir_server.interactions.repository import Repository
from fhir_server.store import Change, Delete, JobRun, ResourceStore

Progress = Callable[[str, int, int, str], Awaitable[None]]
"""Is told (type, resources walked, resources of the type, id reached)."""

_CHUNK = 1000
_BATCH = 200
_UNDISTURBED = 25
"""Resources that are indexed before others get their turn of the event loop."""


class _RulesChanged(Exception):
    """The rules of a type are others than when the walk began."""


class IndexBuild:
    """Indexes resources anew. `rest` is the pause after each batch, in times of what the batch took."""

    def __init__(self, store: ResourceStore, indexer: Indexer, watch: ParameterWatch, *, rest: float = 1.0) -> None:
        self._store = store
        self._indexer = indexer
        self._watch = watch
        self._rest = rest

    async def run(self, run: JobRun) -> dict[str, Any]:
        """Does the job: builds all that is missing, from the checkpoint on."""
        built: list[str] = []

        async def progress(resource_type: str, done: int, total: int, reached: str) -> None:
            checkpoint = {"type": resource_type, "stamp": self._stamp(resource_type), "after": reached, "done": done}
            await run.report(done, total, checkpoint)

        start = dict(run.job.checkpoint)
        while self._watch.missing_types:
            for resource_type in self._watch.missing_types:
                resumes = start.get("type") == resource_type and start["stamp"] == self._stamp(resource_type)
                begin = (start["after"], start["done"]) if resumes else ("", 0)
                await self.build(resource_type, progress, begin=begin)
                built.append(resource_type)
            await self._watch.learn()
        return {"types": built}

    async def build(
        self, resource_type: str, progress: Progress, *, begin: tuple[str, int] = ("", 0), whole: bool = False
    ) -> None:
        """Indexes the resources of a type that need it, all of them with `whole`, and notes that the type is built.

        `begin` is the id after which to start, and how many were walked before.
        """
        while True:
            await self._watch.learn()
            stamp, made = self._stamp(resource_type), self._watch.registry.fingerprints(resource_type)
            try:
                await self._walk(resource_type, "" if whole else stamp, progress, begin)
                await self._watch.settled()
                await self._watch.learn()
                await self._walk(resource_type, stamp, _told_nobody, ("", 0))
            except _RulesChanged:
                begin = ("", 0)
                continue
            await self._watch.states.complete(INDEX_VERSION, {resource_type: made})
            await self._watch.learn()
            return

    async def _walk(self, resource_type: str, stamp: str, progress: Progress, begin: tuple[str, int]) -> None:
        """Indexes anew what does not carry `stamp`."""
        after, done = begin
        rules = self._stamp(resource_type)
        total = await self._store.estimate(resource_type)
        while True:
            chunk = await self._store.find(
                resource_type, {"_id": {"$gt": after}}, sort=(("_id", 1),), limit=_CHUNK, projection={"i": 1}
            )
            stale = [document["_id"] for document in chunk if document.get("i") != stamp]
            for start in range(0, len(stale), _BATCH):
                began = time.monotonic()
                await self._watch.fresh()
                if self._stamp(resource_type) != rules:
                    raise _RulesChanged
                await _index_again(self._store, self._indexer, resource_type, stale[start : start + _BATCH])
                await asyncio.sleep(self._rest * (time.monotonic() - began))
            if chunk:
                after, done = chunk[-1]["_id"], done + len(chunk)
                await progress(resource_type, done, max(total, done), after)
            if len(chunk) < _CHUNK:
                return

    def _stamp(self, resource_type: str) -> str:
        return self._watch.registry.stamp(resource_type)


async def follow_parameters(repository: Repository, changes: Sequence[Change], rules: int) -> None:
    """Called once `changes`, prepared by the rules of that revision, are committed.

    Learns of the search parameters among them, and indexes anew what was prepared before others were known.
    """
    if any(change.resource_type == "SearchParameter" for change in changes):
        await repository.watch.learn()
    if repository.search_parameters.revision != rules:
        for resource_type, ids in _written(changes).items():
            await _index_again(repository.store, repository.indexer, resource_type, ids)


def _written(changes: Sequence[Change]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in changes:
        if not isinstance(change, Delete):
            found.setdefault(change.resource_type, []).append(change.id_)
    return found


async def _index_again(store: ResourceStore, indexer: Indexer, resource_type: str, ids: Sequence[str]) -> None:
    versions = await store.read_many([(resource_type, id_) for id_ in ids])
    documents = []
    for number, version in enumerate(versions.values(), 1):
        if version.resource is not None:
            documents.append((version, indexer.document(version.resource)))
        if number % _UNDISTURBED == 0:
            await asyncio.sleep(0)
    await store.replace_index(resource_type, documents, FIELDS)


async def _told_nobody(resource_type: str, done: int, total: int, reached: str) -> None:
    """Takes the progress of a walk that nobody follows."""
