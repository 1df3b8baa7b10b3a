"""Reads of one moment: what several commands answer about the same instant, while others write.

MongoDB chooses the instant with the first command, the newest that a majority has (so what was acknowledged before is
in it), and reads as of it for all that follow: https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo.errors import OperationFailure

from fhir_server.store.codec import CODEC_OPTIONS
from fhir_server.store.queries import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fhir_server.store.collections import Database

_LOST = frozenset({239, 246})
"""SnapshotTooOld and SnapshotUnavailable: a collection or an index was made just now, or the moment is minutes ago."""


class SnapshotLost(Exception):
    """What was asked cannot be read as of that moment any more, or does not fit into one reply."""


class Snapshot:
    """Reads as of one moment, which the first command that is answered chooses; it has to be awaited alone.

    `time_left` tells the milliseconds that a command may take. Every method may raise SnapshotLost, StoreUnavailable,
    TooCostly and what `time_left` raises.
    """

    def __init__(self, database: Database, time_left: Callable[[], int]) -> None:
        self._database = database
        self._time_left = time_left
        self._concern: dict[str, Any] = {"level": "snapshot"}

    async def find(
        self,
        name: str,
        condition: Mapping[str, Any],
        *,
        limit: int,
        projection: Mapping[str, Any] | None = None,
        hint: Sequence[tuple[str, int]] | None = None,
    ) -> list[dict[str, Any]]:
        """Returns up to `limit` documents of a collection that fulfil a condition, in no order."""
        # Room for one more: MongoDB then knows that it is done, and keeps no cursor.
        command: dict[str, Any] = {"find": name, "filter": dict(condition), "limit": limit, "batchSize": limit + 1}
        if projection is not None:
            command["projection"] = dict(projection)
        return await self._ask(command, hint)

    async def count(self, name: str, condition: Mapping[str, Any], *, hint: Sequence[tuple[str, int]]) -> int:
        """Returns how many documents of a collection fulfil a condition; the index of `hint` leads to them."""
        pipeline = [{"$match": dict(condition)}, {"$count": "n"}]
        found = await self._ask({"aggregate": name, "pipeline": pipeline, "cursor": {}}, hint)
        return int(found[0]["n"]) if found else 0

    async def _ask(self, command: dict[str, Any], hint: Sequence[tuple[str, int]] | None) -> list[dict[str, Any]]:
        whole = {**command, "readConcern": self._concern, "maxTimeMS": self._time_left()}
        if hint is not None:
            whole["hint"] = dict(hint)
        try:
            cursor = (await run(self._database, whole, CODEC_OPTIONS))["cursor"]
        except OperationFailure as error:
            if error.code in _LOST:
                raise SnapshotLost from error
            raise
        # A collection that does not exist tells no instant.
        instant = cursor.get("atClusterTime", self._concern.get("atClusterTime"))
        if instant is None:
            raise SnapshotLost
        self._concern = {"level": "snapshot", "atClusterTime": instant}
        if cursor["id"]:
            name = command.get("find") or command["aggregate"]
            await run(self._database, {"killCursors": name, "cursors": [cursor["id"]]}, CODEC_OPTIONS)
            raise SnapshotLost
        found: list[dict[str, Any]] = cursor["firstBatch"]
        return found
