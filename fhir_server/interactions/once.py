"""Writes of a job that may be begun several times: stored once, and answered alike each time.

With the changes goes a claim, in the same transaction, that keeps what the writes were answered. Who does them again
finds it and answers from it; who does them at the same time loses the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.interactions.write_request import WriteResult
from fhir_server.store import Claim, ResourceStore


@dataclass(frozen=True, slots=True)
class Once:
    """One list of writes; `key` is the same whenever they are begun."""

    key: str
    store: ResourceStore

    def claim(self, results: Sequence[WriteResult]) -> Claim:
        """Returns the claim to store with the changes."""
        answered = [[each.status, each.resource_type, each.id_, each.version_id] for each in results]
        return Claim(self.key, "Bundle", self.key, note={"answered": answered})

    async def results(self) -> list[WriteResult] | None:
        """Returns what the writes were answered, None where they are not stored."""
        note = await self.store.find_note(self.key)
        return None if note is None else [await self._result(*answered) for answered in _answered(note)]

    async def _result(self, status: int, resource_type: str, id_: str, version_id: int) -> WriteResult:
        version = await self.store.vread(resource_type, id_, version_id) if version_id else None
        if version is None:
            return WriteResult(status, resource_type, id_, version_id, None, None)
        return WriteResult(status, resource_type, id_, version_id, version.last_updated, version.resource)


def _answered(note: Mapping[str, Any]) -> list[tuple[int, str, str, int]]:
    return [(status, resource_type, id_, version_id) for status, resource_type, id_, version_id in note["answered"]]
