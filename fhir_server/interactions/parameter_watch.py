"""Keeps a process in step with the search parameters that clients bring, and with what is built of their indexes.

https://hl7.org/fhir/R4/searchparameter.html

Every process asks the database, twice per `delay_s`, which definitions are active and what is built, and never
prepares a write with older knowledge than `delay_s`. So, that long after a definition was stored, all new writes carry
its entries, and only resources from before are left to build. What is indexed and not built is refused to searches.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from copy import copy
from types import TracebackType
from typing import Any

from fhir_server.errors import FhirError, StoreUnavailable
from fhir_server.index import INDEX_VERSION, SearchParameterRegistry, check_definition
from fhir_server.spec.definitions import resource_types
from fhir_server.store import IndexState, IndexStates, Job, ResourceStore, end_tasks

BUILD = "index-build"
"""Kind of the job that builds what is missing, and the key that there is one of it at most."""

_SETTLED = 3
logger = logging.getLogger("fhir_server")


class ParameterWatch:
    """Learns what other processes have changed, from `async with` on until its end."""

    def __init__(self, store: ResourceStore, registry: SearchParameterRegistry, *, delay_s: float = 2.0) -> None:
        self.registry = registry
        self.states = IndexStates(store.database)
        self._store = store
        self._delay_s = delay_s
        self._known_at = self._adopted_at = float("-inf")
        self._versions: dict[str, int] = {}
        self._revision = -1
        self._rows: list[dict[str, Any]] = []
        self._missing: frozenset[tuple[str, str]] = frozenset()
        self._learning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ParameterWatch:
        await self.learn()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await end_tasks((self._task,))

    @property
    def missing_types(self) -> list[str]:
        """The types of which a parameter is not built, in alphabetical order."""
        return sorted({resource_type for resource_type, _ in self._missing})

    async def fresh(self) -> None:
        """Returns once this process knows all that was stored `delay_s` ago; mostly at once."""
        if time.monotonic() - self._known_at > self._delay_s:
            await self.learn()

    async def settled(self) -> None:
        """Returns once no process can be writing without the parameters that this one knows."""
        await asyncio.sleep(max(0.0, self._adopted_at + _SETTLED * self._delay_s - time.monotonic()))

    async def learn(self) -> None:
        """Takes over what the database says now.

        Raises StoreUnavailable where MongoDB does not answer, or where a later server has indexed the database.
        """
        async with self._learning:
            asked_at = time.monotonic()
            found = await self._store.find("SearchParameter", {}, projection={"v": 1}, hint=(("_id", 1),))
            versions = {document["_id"]: document["v"] for document in found}
            revision = await self.states.revision()
            if versions != self._versions or revision != self._revision:
                await self._adopt(versions)
            if self._missing:
                await self._follow_build()
            self._known_at = asked_at

    async def _adopt(self, versions: dict[str, int]) -> None:
        state = await self._state()
        if state.version > INDEX_VERSION:
            raise StoreUnavailable(
                "A newer server has indexed this database: start this process with the newer version.",
                "Un serveur plus récent a indexé cette base : relancez ce processus dans la version récente.",
                rule="index-newer",
            )
        if versions != self._versions:
            self._rows = await self._usable()
        # From here on nothing waits, so that nobody sees parameters before it is known what is built of them.
        before = (self._missing, self._versions)
        self._versions, self._revision = versions, state.revision
        if before[1] != versions:
            self.registry.adopt(self._rows)
        wanted = {name: self.registry.fingerprints(name) for name in resource_types()}
        self._missing = _missing(wanted, state)
        if before != (self._missing, versions):
            self.registry.adopt(self._rows, dict.fromkeys(self._missing, 0))
        if before[1] != versions or before[0] < self._missing:
            self._adopted_at = time.monotonic()
        gone = [(name, code) for name, codes in state.types.items() for code in codes if code not in wanted[name]]
        if gone:
            await self.states.withdraw(gone)

    async def _state(self) -> IndexState:
        state = await self.states.read()
        if state is None:
            # What was stored before a server knew this document has yet to be indexed.
            stored = set(await self._store.collections.existing_types())
            fresh = {name: self.registry.fingerprints(name) for name in resource_types() if name not in stored}
            await self.states.begin(INDEX_VERSION, fresh)
            state = await self.states.read()
        return state or IndexState()

    async def _usable(self) -> list[dict[str, Any]]:
        documents = await self._store.find(
            "SearchParameter", {"resource.status": "active"}, sort=(("_id", 1),), projection={"resource": 1}
        )
        rows, plain = [], copy(self.registry)
        plain.adopt(())  # every process must judge alike, whatever it knew before
        for row in (document["resource"] for document in documents):
            if self.registry.shipped(row["url"]) is None:
                # Parts of a composite may be among `rows`; one that lacks them is not in the registry.
                issues = check_definition(row, plain) if row["type"] != "composite" else []
                if issues:
                    logger.warning("SearchParameter/%s is not used: %s", row["id"], issues[0].english)
                else:
                    rows.append(row)
        return rows

    async def _follow_build(self) -> None:
        """Sees to it that what is missing is being built, and takes the figures over."""
        job = await self._store.jobs.add(BUILD, {}, key=BUILD, is_cancellable=False)
        self.registry.progress({key: _percent(job, key[0]) for key in self._missing})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._delay_s / 2)
            try:
                await self.learn()
            except FhirError as error:
                logger.debug("Search parameters could not be looked up: %s", error)
            except Exception:
                logger.exception("Search parameters could not be looked up")


def _missing(wanted: Mapping[str, Mapping[str, str]], state: IndexState) -> frozenset[tuple[str, str]]:
    return frozenset(
        (name, code)
        for name, codes in wanted.items()
        for code, made in codes.items()
        if state.types.get(name, {}).get(code) != made
    )


def _percent(job: Job, resource_type: str) -> int:
    if not job.total or job.checkpoint.get("type") != resource_type:
        return 0
    return min(99, 100 * job.done // job.total)
