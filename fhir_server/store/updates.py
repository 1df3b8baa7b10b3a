"""Updates of single resources without a transaction: two commands for all that wait together.

First the versions that are about to be replaced are put into history, then each is replaced on condition that it still
is the current one, with the same marks. But for what is marked a version never changes, so a copy of it in history is
right whenever it is made: where the second command is never sent, nothing has to be taken back. Readers of history
leave out what stands there and is still current. Where fewer were replaced than sent, what is stored tells whose
succeeded; those who lost correct until when the version was current.

https://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pymongo.errors import AutoReconnect, PyMongoError, ServerSelectionTimeoutError, WriteError

from fhir_server.store.batches import Batches, Crowd
from fhir_server.store.changes import Update, WriteConflict, instant_of
from fhir_server.store.codec import text_id, with_id
from fhir_server.store.collections import history_name
from fhir_server.store.driver import DURABLE_CONCERN, write
from fhir_server.store.failures import outcome_unknown, translated
from fhir_server.store.marks import inheriting, replaced
from fhir_server.store.queries import fetch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from bson.raw_bson import RawBSONDocument

    from fhir_server.store.collections import Collections, Database
    from fhir_server.store.units import Unit, Write

_DUPLICATE_KEY = 11000
_STORED = {"v": 1, "at": 1, "resource": 1}
_Answers = dict[int, "BaseException | None"]


class _Kept(NamedTuple):
    """The primary's election, and the numbers of the writes whose versions were not in history before."""

    election: Any
    added: Collection[int]


def is_single_update(unit: Unit) -> bool:
    """True for one update, without a claim, that hands back the version it replaces."""
    if len(unit.writes) != 1 or unit.claims:
        return False
    change = unit.writes[0].change
    return type(change) is Update and change.previous is not None


class Updates:
    """Sends the updates of a type that wait together; one of several updates of one resource travels at a time."""

    def __init__(
        self, database: Database, collections: Collections, crowd: Crowd, *, max_weight: int, linger_s: float
    ) -> None:
        self._database = database
        self._collections = collections
        self._crowd = crowd
        self._max_weight = max_weight
        self._linger_s = linger_s
        self._by_type: dict[str, Batches[Write, None]] = {}

    async def submit(self, unit: Unit) -> None:
        """Stores the unit's update. Raises WriteConflict where another version is current, else as `Commits` does."""
        await self._batches_of(unit.writes[0].change.resource_type).submit(
            unit.writes[0], keys=unit.keys, weight=2 * unit.weight
        )

    def _batches_of(self, resource_type: str) -> Batches[Write, None]:
        batches = self._by_type.get(resource_type)
        if batches is None:
            batches = self._by_type[resource_type] = Batches(
                self._sender(resource_type),
                in_flight=2,
                max_weight=self._max_weight,
                linger_s=self._linger_s,
                crowd=self._crowd,
            )
        return batches

    def _sender(self, name: str) -> Callable[[Sequence[Write]], Awaitable[Sequence[BaseException | None]]]:
        async def send(writes: Sequence[Write]) -> Sequence[BaseException | None]:
            try:
                await self._collections.ensure((name, history_name(name)))
                kept = await self._keep_replaced(name, writes, {"w": 1})
            except PyMongoError as error:
                raise translated(error) from error  # nothing is replaced yet
            try:
                answers = await self._replace(name, writes, kept)
            except ServerSelectionTimeoutError as error:
                raise translated(error) from error
            except AutoReconnect as error:
                raise outcome_unknown() from error
            except PyMongoError as error:
                raise translated(error) from error
            return [answers.get(number) for number in range(len(writes))]

        return send

    async def _keep_replaced(self, name: str, writes: Sequence[Write], concern: Mapping[str, Any]) -> _Kept:
        """Puts what is replaced into history; a copy that stands there already is of an update that failed.

        It need not be awaited to be durable: it is as soon as the replacement, which follows it in the log of the same
        primary, is.
        """
        copies = [
            with_id(_previous(one), {"id": one.change.id_, "v": one.version - 1}, until=instant_of(one.change))
            for one in writes
        ]
        command: dict[str, Any] = {"insert": history_name(name), "documents": copies}
        reply = await self._write_copies(command, concern)
        # An insert stores all of them as one; of an update MongoDB looks for each by itself.
        there = [failure["index"] for failure in reply.get("writeErrors", ())]
        if there:
            again = [{"q": {"_id": copies[number]["_id"]}, "u": copies[number], "upsert": True} for number in there]
            await self._write_copies({"update": history_name(name), "updates": again}, concern)
        return _Kept(reply.get("electionId"), frozenset(range(len(writes))).difference(there))

    async def _write_copies(self, command: dict[str, Any], concern: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns MongoDB's reply, in which nothing but copies that are there already may be wrong."""
        reply = await write(self._database, {**command, "ordered": False, "writeConcern": concern})
        for failure in reply.get("writeErrors", ()):
            if failure["code"] != _DUPLICATE_KEY:
                raise WriteError(failure["errmsg"], failure["code"], failure)
        return reply

    async def _replace(self, name: str, writes: Sequence[Write], kept: _Kept) -> _Answers:
        updates = [
            {
                "q": replaced(one.change.id_, one.version - 1, _previous(one)),
                "u": inheriting(one.document, _previous(one)),
            }
            for one in writes
        ]
        command = {"update": name, "ordered": False, "updates": updates, "writeConcern": DURABLE_CONCERN}
        reply = await write(self._database, command)
        if reply.get("electionId") != kept.election:
            # Another primary than the one that kept the versions, which may have taken them with it.
            await self._keep_replaced(name, writes, DURABLE_CONCERN)
        if "writeConcernError" in reply:
            return dict.fromkeys(range(len(writes)), outcome_unknown())
        failures: _Answers = {
            failure["index"]: translated(WriteError(failure["errmsg"], failure["code"], failure))
            for failure in reply.get("writeErrors", ())
        }
        if reply["n"] + len(failures) < len(writes):
            sent = [number for number in range(len(writes)) if number not in failures]
            failures |= await self._find_losers(name, [(number, writes[number]) for number in sent], kept.added)
        return failures

    async def _find_losers(self, name: str, sent: Sequence[tuple[int, Write]], added: Collection[int]) -> _Answers:
        """Returns the conflicts of those whose version is not what is stored under its number, now or in history.

        What they put into history is made right: what they wanted to replace was current until somebody else's version,
        or was erased with its successors; then what was `added` is taken back.
        """
        ids = [one.change.id_ for _, one in sent]
        current = {text_id(found.raw): found for found in await fetch(self._database, name, ids, _STORED)}
        keys = [{"id": one.change.id_, "v": one.version} for _, one in sent]
        older = {
            (found["_id"]["id"], found["_id"]["v"]): found
            for found in await fetch(self._database, history_name(name), keys, _STORED)
        }
        lost: _Answers = {}
        corrections: list[dict[str, Any]] = []
        removals: list[dict[str, Any]] = []
        for number, one in sent:
            stored = current.get(one.change.id_)
            if stored is None or stored["v"] != one.version:
                stored = older.get((one.change.id_, one.version))
            if stored is None or _content(stored) != _content(one.document):
                lost[number] = WriteConflict("version", name, one.change.id_)
                copy = {"_id": {"id": one.change.id_, "v": one.version - 1}}
                if stored is not None:
                    corrections.append({"q": copy, "u": {"$set": {"until": stored["at"]}}})
                elif number in added:
                    removals.append({"q": copy, "limit": 1})
        if corrections:
            await write(
                self._database, {"update": history_name(name), "updates": corrections, "writeConcern": DURABLE_CONCERN}
            )
        if removals:
            await write(
                self._database, {"delete": history_name(name), "deletes": removals, "writeConcern": DURABLE_CONCERN}
            )
        return lost


def _previous(one: Write) -> bytes | memoryview:
    change = one.change
    if type(change) is not Update or change.previous is None:
        raise AssertionError("only an update that hands back what it replaces comes here")
    return change.previous


def _content(document: RawBSONDocument | None) -> bytes:
    """Returns the resource of a version as it is stored, nothing for a deletion."""
    resource = None if document is None else document.get("resource")
    return b"" if resource is None else bytes(resource.raw)
