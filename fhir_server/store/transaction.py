"""Several commits in one MongoDB transaction: all of their documents are stored, or none.

Grouping them shares the round trips and the one wait for the journal. Reads come first, in the transaction's snapshot:
they bring the versions that go to history, and tell which units expected another version; those are left out before
anything is written. A transaction that fails while it writes leaves nothing behind.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern

from fhir_server.store.changes import Create, Delete, Update, WriteConflict
from fhir_server.store.codec import encode, text_id, with_id
from fhir_server.store.collections import CLAIMS, VERSION_FIELDS, history_name
from fhir_server.store.connection import DURABLE
from fhir_server.store.failures import outcome_unknown
from fhir_server.store.queries import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bson.raw_bson import RawBSONDocument
    from pymongo.asynchronous.client_session import AsyncClientSession

    from fhir_server.store.changes import ConflictKind, Key
    from fhir_server.store.collections import Collections, Database
    from fhir_server.store.units import Unit, Write

_DUPLICATE_KEY = 11000
_COMMIT_PATIENCE_S = 15.0
_OLD_FIELDS = {**VERSION_FIELDS, "patient": 1}


class GroupFailed(Exception):
    """The transaction was not committed: `culprit` lost for `conflict`. The others may be tried again without it."""

    def __init__(self, culprit: Unit, conflict: WriteConflict) -> None:
        super().__init__(str(conflict))
        self.culprit = culprit
        self.conflict = conflict


@dataclass(slots=True)
class _Insert:
    unit: Unit
    document: RawBSONDocument
    conflict: tuple[ConflictKind, str, str]


@dataclass(slots=True)
class _Plan:
    """What one transaction writes, by collection."""

    inserts: defaultdict[str, list[_Insert]] = field(default_factory=lambda: defaultdict(list))
    replacements: defaultdict[str, list[ReplaceOne[Any]]] = field(default_factory=lambda: defaultdict(list))
    removals: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    claims_moved: list[tuple[Unit, ReplaceOne[Any], tuple[ConflictKind, str, str]]] = field(default_factory=list)


@dataclass(slots=True)
class _Stored:
    """What is stored of the resources that are changed: current documents, versions of deletions."""

    current: dict[Key, RawBSONDocument] = field(default_factory=dict)
    deleted: dict[Key, int] = field(default_factory=dict)


async def commit_group(
    database: Database, collections: Collections, units: Sequence[Unit]
) -> dict[Unit, WriteConflict]:
    """Commits the units in one transaction; returns those that it left out since they expected another version.

    Raises GroupFailed if a unit is known to have made the transaction fail, the driver's error if none is,
    StoreUnavailable if it cannot be known whether the transaction was committed. Nothing is stored in the first two
    cases.
    """
    await collections.ensure(_collections_of(units))
    async with database.client.start_session() as session:
        await session.start_transaction(ReadConcern("snapshot"), DURABLE)
        try:
            stored = await _read_stored(database, units, session)
            refused: dict[Unit, WriteConflict] = {}
            plan = _Plan()
            for unit in units:
                conflict = _find_conflict(unit, stored)
                if conflict is None:
                    _add_to(plan, unit, stored)
                else:
                    refused[unit] = conflict
            if len(refused) < len(units):
                await _write_plan(database, plan, session)
        except BaseException:
            with suppress(PyMongoError):
                await session.abort_transaction()
            raise
        await _commit(session)
        return refused


def _collections_of(units: Sequence[Unit]) -> set[str]:
    names: set[str] = set()
    for unit in units:
        if unit.claims:
            names.add(CLAIMS)
        for write in unit.writes:
            names.add(write.change.resource_type)
            if not isinstance(write.change, Create):
                names.add(history_name(write.change.resource_type))
    return names


async def _read_stored(database: Database, units: Sequence[Unit], session: AsyncClientSession) -> _Stored:
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    for unit in units:
        for write in unit.writes:
            if not isinstance(write.change, Create):
                wanted[write.change.resource_type].append(write.change.id_)
    stored = _Stored()
    for resource_type, ids in wanted.items():
        for document in await fetch(database, resource_type, ids, _OLD_FIELDS, session=session):
            stored.current[resource_type, text_id(document.raw)] = document
        gone = [id_ for id_ in ids if (resource_type, id_) not in stored.current]
        if gone:
            fields, name = {"gone": 1, "v": 1}, history_name(resource_type)
            for document in await fetch(database, name, gone, fields, field="gone", session=session):
                key = (resource_type, document["gone"])
                stored.deleted[key] = max(stored.deleted.get(key, 0), document["v"])
    return stored


def _find_conflict(unit: Unit, stored: _Stored) -> WriteConflict | None:
    for write in unit.writes:
        change = write.change
        if isinstance(change, Create):
            continue
        key = (change.resource_type, change.id_)
        current = stored.current.get(key)
        if current is not None:
            if isinstance(change, Update) and not change.expected_version:
                return WriteConflict("exists", *key)
            if current["v"] != change.expected_version:
                return WriteConflict("version", *key)
        elif isinstance(change, Delete) or stored.deleted.get(key, 0) != write.version - 1:
            return WriteConflict("version", *key)
    return None


def _add_to(plan: _Plan, unit: Unit, stored: _Stored) -> None:
    for write in unit.writes:
        change = write.change
        old = stored.current.get((change.resource_type, change.id_))
        if old is not None and not isinstance(change, Create):
            _add_history(plan, unit, write, old)
        elif write.document is not None:
            conflict: tuple[ConflictKind, str, str] = ("exists", change.resource_type, change.id_)
            plan.inserts[change.resource_type].append(_Insert(unit, write.document, conflict))
    for claim in unit.claims:
        conflict = ("claim", claim.resource_type, claim.id_)
        document = {"_id": claim.key, "t": claim.resource_type, "r": claim.id_}
        if claim.replaces is None:
            plan.inserts[CLAIMS].append(_Insert(unit, encode(document), conflict))
        else:
            move = ReplaceOne({"_id": claim.key, "r": claim.replaces}, document)
            plan.claims_moved.append((unit, move, conflict))


def _add_history(plan: _Plan, unit: Unit, write: Write, old: RawBSONDocument) -> None:
    change = write.change
    name = history_name(change.resource_type)
    conflict: tuple[ConflictKind, str, str] = ("version", change.resource_type, change.id_)
    older = with_id(old.raw, {"id": change.id_, "v": old["v"]})
    plan.inserts[name].append(_Insert(unit, older, conflict))
    if isinstance(change, Delete):
        deletion = {
            "_id": {"id": change.id_, "v": write.version},
            "v": write.version,
            "at": change.last_updated,
            "m": "DELETE",
            "patient": old.get("patient"),
            "gone": change.id_,
        }
        plan.inserts[name].append(_Insert(unit, encode(deletion), conflict))
        plan.removals[change.resource_type].append(change.id_)
    else:
        replaced = {"_id": change.id_}
        plan.replacements[change.resource_type].append(ReplaceOne(replaced, write.document))


async def _write_plan(database: Database, plan: _Plan, session: AsyncClientSession) -> None:
    # Claims first: where one is lost, nothing else has been sent in vain.
    names = sorted(plan.inserts, key=lambda name: (name != CLAIMS, name))
    for unit, move, conflict in plan.claims_moved:
        moved = await database[CLAIMS].bulk_write([move], session=session)
        if not moved.matched_count:
            raise GroupFailed(unit, WriteConflict(*conflict))
    for name in names:
        inserts = plan.inserts[name]
        try:
            await database[name].insert_many([insert.document for insert in inserts], session=session)
        except BulkWriteError as error:
            for failure in error.details["writeErrors"]:
                if failure["code"] == _DUPLICATE_KEY:
                    lost = inserts[failure["index"]]
                    raise GroupFailed(lost.unit, WriteConflict(*lost.conflict)) from error
            raise
    for name, replacements in plan.replacements.items():
        await database[name].bulk_write(replacements, ordered=False, session=session)
    for name, ids in plan.removals.items():
        await database[name].delete_many({"_id": {"$in": ids}}, session=session)


async def _commit(session: AsyncClientSession) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + _COMMIT_PATIENCE_S
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            if clock() > deadline:
                raise outcome_unknown() from error
            await asyncio.sleep(0.05)
        else:
            return
