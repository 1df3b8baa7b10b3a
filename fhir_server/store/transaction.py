"""Several commits in one MongoDB transaction: all of their documents are stored, or none.

Grouping them shares the round trips and the one wait for the journal. The versions that go to history come with the
changes where their senders have read them; the others are read first, in the transaction's snapshot. What is replaced
or removed has to stand at its expected version. Where it does not, the transaction is given up and made anew with all
versions read in it: they tell which units expected another one, and those are left out. A transaction that fails while
it writes leaves nothing behind.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from bson.raw_bson import RawBSONDocument
from msgspec import Struct
from pymongo.errors import PyMongoError, WriteError
from pymongo.read_concern import ReadConcern

from fhir_server.store.changes import Create, Delete, Update, WriteConflict, instant_of
from fhir_server.store.codec import RAW_CODEC_OPTIONS, encode, text_id, with_id
from fhir_server.store.collections import CLAIMS, DELETION_LASTS, NOTES_KEPT, WHOLE_FIELDS, history_name
from fhir_server.store.connection import DURABLE
from fhir_server.store.driver import commands_of
from fhir_server.store.failures import outcome_unknown
from fhir_server.store.marks import has_gaps, inheriting, replaced, with_gaps
from fhir_server.store.queries import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pymongo.asynchronous.client_session import AsyncClientSession

    from fhir_server.store.changes import ConflictKind, Key
    from fhir_server.store.collections import Collections, Database
    from fhir_server.store.driver import TransactionCommands
    from fhir_server.store.units import Unit, Write

_Part = TypeVar("_Part")

_DUPLICATE_KEY = 11000
_COMMAND_BYTES = 12 * 1024 * 1024
_COMMIT_PATIENCE_S = 15.0


class GroupFailed(Exception):
    """The transaction was not committed: `culprit` lost for `conflict`. The others may be tried again without it."""

    def __init__(self, culprit: Unit, conflict: WriteConflict) -> None:
        super().__init__(str(conflict))
        self.culprit = culprit
        self.conflict = conflict


class _StaleError(Exception):
    """A version that came with its change is no longer current."""


class _Insert(Struct):
    unit: Unit
    document: RawBSONDocument
    conflict: tuple[ConflictKind, str, str]


@dataclass(slots=True)
class _Plan:
    """What one transaction writes, by collection."""

    inserts: defaultdict[str, list[_Insert]] = field(default_factory=lambda: defaultdict(list))
    replacements: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    removals: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    claims_moved: list[tuple[Unit, dict[str, Any], tuple[ConflictKind, str, str]]] = field(default_factory=list)


@dataclass(slots=True)
class _Stored:
    """What is stored of the resources that are changed: current documents, versions of deletions, and those deletions
    before which versions were erased.
    """

    current: dict[Key, RawBSONDocument] = field(default_factory=dict)
    deleted: dict[Key, int] = field(default_factory=dict)
    deleted_with_gaps: set[Key] = field(default_factory=set)


async def commit_group(
    database: Database, collections: Collections, units: Sequence[Unit]
) -> dict[Unit, WriteConflict]:
    """Commits the units in one transaction; returns those that it left out since they expected another version.

    Raises GroupFailed if a unit is known to have made the transaction fail, the driver's error if none is,
    StoreUnavailable if it cannot be known whether the transaction was committed. Nothing is stored in the first two
    cases.
    """
    await collections.ensure(_collections_of(units))
    try:
        return await _commit_once(database, units, trusting=True)
    except _StaleError:
        return await _commit_once(database, units, trusting=False)


async def _commit_once(database: Database, units: Sequence[Unit], *, trusting: bool) -> dict[Unit, WriteConflict]:
    async with database.client.start_session() as session:
        await session.start_transaction(ReadConcern("snapshot"), DURABLE)
        try:
            async with commands_of(database, session) as transaction:
                stored = await _read_stored(database, units, transaction, trusting=trusting)
                refused = await _apply(transaction, units, stored)
        except BaseException:
            with suppress(PyMongoError):
                await session.abort_transaction()
            raise
        await _commit(session)
        return refused


async def _apply(transaction: TransactionCommands, units: Sequence[Unit], stored: _Stored) -> dict[Unit, WriteConflict]:
    refused: dict[Unit, WriteConflict] = {}
    plan = _Plan()
    for unit in units:
        conflict = _find_conflict(unit, stored)
        if conflict is None:
            _add_to(plan, unit, stored)
        else:
            refused[unit] = conflict
    if len(refused) < len(units):
        await _write_plan(plan, transaction)
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


async def _read_stored(
    database: Database, units: Sequence[Unit], transaction: TransactionCommands, *, trusting: bool
) -> _Stored:
    """Returns what is stored of the resources that are changed; `trusting` takes the versions that came with them."""
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    stored = _Stored()
    for unit in units:
        for write in unit.writes:
            change = write.change
            if isinstance(change, Create):
                continue
            if trusting and change.previous is not None:
                key = (change.resource_type, change.id_)
                stored.current[key] = RawBSONDocument(bytes(change.previous), RAW_CODEC_OPTIONS)
            else:
                wanted[change.resource_type].append(change.id_)
    for resource_type, ids in wanted.items():
        for document in await fetch(database, resource_type, ids, WHOLE_FIELDS, transaction=transaction):
            stored.current[resource_type, text_id(document.raw)] = document
        gone = [id_ for id_ in ids if (resource_type, id_) not in stored.current]
        if gone:
            fields, name = {"gone": 1, "v": 1, "marks": 1}, history_name(resource_type)
            for document in await fetch(database, name, gone, fields, field="gone", transaction=transaction):
                key = (resource_type, document["gone"])
                stored.deleted[key] = max(stored.deleted.get(key, 0), document["v"])
                if has_gaps(document.raw):
                    stored.deleted_with_gaps.add(key)
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
            after_gaps = (change.resource_type, change.id_) in stored.deleted_with_gaps
            document = with_gaps(write.document) if after_gaps else write.document
            plan.inserts[change.resource_type].append(_Insert(unit, document, conflict))
    for claim in unit.claims:
        conflict = ("claim", claim.resource_type, claim.id_)
        claimed: dict[str, Any] = {"_id": claim.key, "t": claim.resource_type, "r": claim.id_}
        if claim.note is not None:
            claimed |= {"note": dict(claim.note), "expires": datetime.now(UTC) + NOTES_KEPT}
        if claim.replaces is None:
            plan.inserts[CLAIMS].append(_Insert(unit, encode(claimed), conflict))
        else:
            move = {"q": {"_id": claim.key, "r": claim.replaces}, "u": claimed}
            plan.claims_moved.append((unit, move, conflict))


def _add_history(plan: _Plan, unit: Unit, write: Write, old: RawBSONDocument) -> None:
    change = write.change
    name = history_name(change.resource_type)
    conflict: tuple[ConflictKind, str, str] = ("version", change.resource_type, change.id_)
    key = {"id": change.id_, "v": old["v"]}
    older = with_id(old.raw, key, until=instant_of(change))
    # A copy may stand there already, of an update that failed.
    plan.replacements[name].append({"q": {"_id": key}, "u": older, "upsert": True})
    if isinstance(change, Delete):
        deletion = {
            "_id": {"id": change.id_, "v": write.version},
            "v": write.version,
            "at": change.last_updated,
            "m": "DELETE",
            "until": change.last_updated + DELETION_LASTS,
            "patient": old.get("patient"),
            "gone": change.id_,
            **({"marks": {"gaps": True}} if has_gaps(old.raw) else {}),
        }
        plan.inserts[name].append(_Insert(unit, encode(deletion), conflict))
        plan.removals[change.resource_type].append({"q": replaced(change.id_, old["v"], old.raw), "limit": 1})
    else:
        document = inheriting(write.document, old.raw)
        plan.replacements[change.resource_type].append({"q": replaced(change.id_, old["v"], old.raw), "u": document})


async def _write_plan(plan: _Plan, transaction: TransactionCommands) -> None:
    # Claims first: where one is lost, nothing else has been sent in vain.
    names = sorted(plan.inserts, key=lambda name: (name != CLAIMS, name))
    for unit, move, conflict in plan.claims_moved:
        moved = await transaction.send({"update": CLAIMS, "updates": [move]})
        if not moved["n"]:
            raise GroupFailed(unit, WriteConflict(*conflict))
    for name in names:
        for inserts in _portions(plan.inserts[name], lambda one: len(one.document.raw)):
            await _insert(transaction, name, inserts)
    for name, replacements in plan.replacements.items():
        for updates in _portions(replacements, lambda one: len(one["u"].raw)):
            await _send_all(transaction, {"update": name, "updates": updates}, len(updates))
    for name, removals in plan.removals.items():
        await _send_all(transaction, {"delete": name, "deletes": removals}, len(removals))


async def _insert(transaction: TransactionCommands, name: str, inserts: Sequence[_Insert]) -> None:
    reply = await transaction.send({"insert": name, "documents": [insert.document for insert in inserts]})
    for failure in reply.get("writeErrors", ()):
        if failure["code"] == _DUPLICATE_KEY:
            lost = inserts[failure["index"]]
            raise GroupFailed(lost.unit, WriteConflict(*lost.conflict))
        raise WriteError(failure["errmsg"], failure["code"], failure)


def _portions(parts: Sequence[_Part], size_of: Callable[[_Part], int]) -> Iterator[list[_Part]]:
    """Yields the parts in commands that MongoDB takes: at most `_COMMAND_BYTES`, or one part alone."""
    portion: list[_Part] = []
    size_bytes = 0
    for part in parts:
        size_bytes += size_of(part)
        if portion and size_bytes > _COMMAND_BYTES:
            yield portion
            portion, size_bytes = [], size_of(part)
        portion.append(part)
    if portion:
        yield portion


async def _send_all(transaction: TransactionCommands, command: dict[str, Any], expected: int) -> None:
    reply = await transaction.send(command)
    for failure in reply.get("writeErrors", ()):
        raise WriteError(failure["errmsg"], failure["code"], failure)
    if reply["n"] != expected:
        raise _StaleError


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
