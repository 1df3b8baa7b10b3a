"""What jobs are given and what they yield, where it is too large for the job's own document: bytes, in pieces.

The patients it tells of stand beside it, so that it goes when one of them is erased.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pymongo.errors import PyMongoError

from fhir_server.store.collections import JOB_CONTENTS
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from fhir_server.store.collections import Collections, Database

KEPT = timedelta(days=7)
"""How long a piece is kept at most: longer than a job that has ended, and than any job should wait."""

_PIECE_BYTES = 8 * 1024 * 1024
_PATIENT = re.compile(rb"\bPatient/([A-Za-z0-9.\-]{1,64})")


class JobContents:
    """Contents by the id of their job and a name, such as `result`; every method may raise StoreUnavailable."""

    def __init__(self, database: Database, collections: Collections) -> None:
        self._contents = database[JOB_CONTENTS]
        self._collections = collections

    async def put(self, job_id: str, name: str, content: bytes) -> None:
        """Stores a content; one of that name is replaced."""
        await self._collections.ensure((JOB_CONTENTS,))
        await self.remove(job_id, name)
        patients = sorted({id_.decode() for id_ in _PATIENT.findall(content)})
        expires = datetime.now(UTC) + KEPT
        pieces = [
            {
                "_id": {"job": job_id, "name": name, "piece": number},
                "data": content[start : start + _PIECE_BYTES],
                "patients": patients,
                "expires": expires,
            }
            for number, start in enumerate(range(0, max(len(content), 1), _PIECE_BYTES))
        ]
        try:
            for piece in pieces:
                await self._contents.insert_one(piece)
        except PyMongoError as error:
            raise translated(error) from error

    async def get(self, job_id: str, name: str) -> bytes | None:
        """Returns a content, None where there is none or no longer."""
        try:
            found = self._contents.find(_pieces(job_id, name)).sort("_id", 1)
            pieces = [bytes(piece["data"]) async for piece in found]
        except PyMongoError as error:
            raise translated(error) from error
        return b"".join(pieces) if pieces else None

    async def remove(self, job_id: str, name: str) -> None:
        """Removes a content, if it is there."""
        try:
            await self._contents.delete_many(_pieces(job_id, name))
        except PyMongoError as error:
            raise translated(error) from error

    async def remove_about(self, patient: str) -> None:
        """Removes all that tells of a patient."""
        try:
            await self._contents.delete_many({"patients": patient})
        except PyMongoError as error:
            raise translated(error) from error


def _pieces(job_id: str, name: str) -> dict[str, object]:
    first = {"job": job_id, "name": name, "piece": 0}
    return {"_id": {"$gte": first, "$lt": {**first, "piece": 2**31}}}
