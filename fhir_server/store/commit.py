"""Commits: what may go in one batch goes in one, and what is wrong with one commit harms no other.

| commit | travels as |
|---|---|
| one Create, no claim | one document of an `insert_many`, no transaction |
| one Update that hands back the version it replaces, no claim | part of an insert and of an update (see `updates`) |
| anything else | a part of a transaction, with up to 31 others |
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from pymongo.errors import AutoReconnect, ConnectionFailure, PyMongoError, ServerSelectionTimeoutError, WriteError

from fhir_server.store.batches import Batches, Crowd
from fhir_server.store.changes import Delete, WriteConflict
from fhir_server.store.driver import insert
from fhir_server.store.failures import edit_conflict, outcome_unknown, too_large, translated
from fhir_server.store.transaction import GroupFailed, commit_group
from fhir_server.store.units import build_unit
from fhir_server.store.updates import Updates, is_single_update

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bson.raw_bson import RawBSONDocument

    from fhir_server.store.changes import Change, Claim, Key
    from fhir_server.store.collections import Collections, Database
    from fhir_server.store.known import KnownKeys
    from fhir_server.store.units import Unit

MAX_UNITS = 32
MAX_WEIGHT = 1000
MAX_INSERT_WEIGHT = 700
"""Of 16 KiB each: what one insert command holds."""
LINGER_S = 0.008
"""How long a batch waits for others under load: MongoDB's cost is per command more than per document."""
TRANSACTION_LINGER_S = 0.06
"""The same for transactions, whose commands are many, and whose bundles take milliseconds each to be checked."""

_ATTEMPTS = 12
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.3
_DUPLICATE_KEY = 11000
_BSON_OBJECT_TOO_LARGE = 10334


class Commits:
    """Takes commits, groups those that wait together, answers each by itself."""

    def __init__(self, database: Database, collections: Collections, known: KnownKeys) -> None:
        self._database = database
        self._collections = collections
        self._known = known
        self._creates: dict[str, Batches[RawBSONDocument, None]] = {}
        self.coming_updates = Crowd()
        self.coming_transactions = Crowd()
        self._updates = Updates(
            database, collections, self.coming_updates, max_weight=MAX_INSERT_WEIGHT, linger_s=LINGER_S
        )
        self._groups: Batches[Unit, None] = Batches(
            self._send_group,
            in_flight=2,
            max_requests=MAX_UNITS,
            max_weight=MAX_WEIGHT,
            linger_s=TRANSACTION_LINGER_S,
            crowd=self.coming_transactions,
        )

    async def commit(self, changes: Sequence[Change], claims: Sequence[Claim] = ()) -> None:
        """Stores all of the changes and claims, or none; it is durable on a majority of the replica set on return.

        Raises WriteConflict for what is stored already, EditConflict after too many retries against others,
        StoreUnavailable if MongoDB does not answer (its sentence tells whether the change may be stored),
        InvalidContent and TooLarge for a resource that cannot be stored.
        """
        unit = build_unit(changes, claims)
        if not unit.keys:
            return
        asked_at = self._known.now()
        try:
            await self._store(unit)
            self._known.remember((_key(change) for change in changes if type(change) is not Delete), asked_at)
        finally:
            # Also after a failure: what was deleted may be stored all the same.
            self._known.forget([_key(change) for change in changes if type(change) is Delete])

    async def _store(self, unit: Unit) -> None:
        if is_single_update(unit):
            await self._updates.submit(unit)
            return
        if not unit.is_single_create:
            await self._groups.submit(unit, keys=unit.keys, weight=unit.weight)
            return
        write = unit.writes[0]
        if write.document is None:
            raise AssertionError("a create has a document")
        try:
            await self._creates_of(write.change.resource_type).submit(write.document, weight=unit.weight)
        except _Exists:
            raise WriteConflict("exists", write.change.resource_type, write.change.id_) from None

    def _creates_of(self, resource_type: str) -> Batches[RawBSONDocument, None]:
        batches = self._creates.get(resource_type)
        if batches is None:
            batches = self._creates[resource_type] = Batches(
                self._create_sender(resource_type), in_flight=2, max_weight=MAX_INSERT_WEIGHT, linger_s=LINGER_S
            )
        return batches

    def _create_sender(
        self, resource_type: str
    ) -> Callable[[Sequence[RawBSONDocument]], Awaitable[Sequence[BaseException | None]]]:
        async def send(documents: Sequence[RawBSONDocument]) -> Sequence[BaseException | None]:
            await self._collections.ensure((resource_type,))
            answers: list[BaseException | None] = [None] * len(documents)
            try:
                reply = await insert(self._database, resource_type, documents)
            except ServerSelectionTimeoutError as error:
                raise translated(error) from error  # nothing was sent
            except AutoReconnect as error:
                raise outcome_unknown() from error
            except PyMongoError as error:
                raise translated(error) from error
            if "writeConcernError" in reply:
                answers = [outcome_unknown()] * len(documents)
            for failure in reply.get("writeErrors", ()):
                answers[failure["index"]] = _insert_failure(failure)
            return answers

        return send

    async def _send_group(self, units: Sequence[Unit]) -> Sequence[BaseException | None]:
        answers: dict[Unit, BaseException] = {}
        remaining = list(units)
        while remaining:
            try:
                answers |= await commit_group(self._database, self._collections, remaining)
                break
            except GroupFailed as failure:
                answers[failure.culprit] = failure.conflict
                remaining.remove(failure.culprit)
            except ServerSelectionTimeoutError as error:
                unavailable = translated(error)  # it has been waited for long enough
                answers |= dict.fromkeys(remaining, unavailable)
                break
            except ConnectionFailure as error:
                # Before the commit was sent: nothing is stored. Whether MongoDB is back is for all of them the same.
                answers |= await self._retry_together(remaining, error)
                break
            except PyMongoError:
                # Somebody else's write, or one unit that is too large, and nobody knows whose fault: each for itself.
                for unit in remaining:
                    answers |= await self._commit_alone(unit)
                break
        return [answers.get(unit) for unit in units]

    async def _retry_together(self, units: list[Unit], error: ConnectionFailure) -> dict[Unit, BaseException]:
        try:
            return dict(await commit_group(self._database, self._collections, units))
        except ConnectionFailure:
            unavailable = translated(error)
            return dict.fromkeys(units, unavailable)
        except (GroupFailed, PyMongoError):
            answers: dict[Unit, BaseException] = {}
            for unit in units:
                answers |= await self._commit_alone(unit)
            return answers

    async def _commit_alone(self, unit: Unit) -> dict[Unit, BaseException]:
        pause_s = _FIRST_PAUSE_S
        for _ in range(_ATTEMPTS):
            try:
                return dict(await commit_group(self._database, self._collections, [unit]))
            except GroupFailed as failure:
                return {unit: failure.conflict}
            except PyMongoError as error:
                if isinstance(error, ConnectionFailure) or not error.has_error_label("TransientTransactionError"):
                    return {unit: translated(error)}
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311 -- spreads retries, keeps no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return {unit: edit_conflict()}


def _key(change: Change) -> Key:
    return change.resource_type, change.id_


class _Exists(Exception):
    pass


def _insert_failure(failure: Mapping[str, Any]) -> Exception:
    if failure["code"] == _DUPLICATE_KEY:
        return _Exists()
    if failure["code"] == _BSON_OBJECT_TOO_LARGE:
        return too_large()
    return WriteError(failure["errmsg"], failure["code"], failure)
