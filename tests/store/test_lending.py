"""Connections that stay out: writes that are sent twice are done once, whatever their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bson
import pytest
import pytest_asyncio

from fhir_server.store.codec import encode
from fhir_server.store.driver import DURABLE_CONCERN
from fhir_server.store.lending import LendingClient, _WriteSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.mongo


@pytest_asyncio.fixture
async def client(mongodb_uri: str, mongodb_database: str) -> AsyncIterator[LendingClient]:
    lending = LendingClient(mongodb_uri)
    yield lending
    await lending.drop_database(mongodb_database)
    await lending.close()


def command(name: str, field: str, items: list[Any]) -> dict[str, Any]:
    return {name: "things", "ordered": False, "writeConcern": DURABLE_CONCERN, field: items}


async def test_a_write_that_is_sent_twice_is_done_once(client: LendingClient, mongodb_database: str) -> None:
    session = _WriteSession()
    counting = {"q": {"_id": 1}, "u": {"$inc": {"times": 1}}}
    await client.write(mongodb_database, command("insert", "documents", [{"_id": 1, "times": 0}]))
    message = session.message(command("update", "updates", [counting]) | {"$db": mongodb_database})
    replies = [bson.decode(await client._exchange(lambda _: message)) for _ in range(2)]
    assert [reply["n"] for reply in replies] == [1, 1]
    assert await client[mongodb_database]["things"].find_one() == {"_id": 1, "times": 1}
    again = session.message(command("update", "updates", [counting]) | {"$db": mongodb_database})
    await client._exchange(lambda _: again)
    assert await client[mongodb_database]["things"].find_one() == {"_id": 1, "times": 2}


async def test_writes_beyond_the_size_of_a_document_go_in_one_command(
    client: LendingClient, mongodb_database: str
) -> None:
    large = [encode({"_id": str(number), "text": "x" * 7_000_000}) for number in range(4)]
    reply = await client.write(mongodb_database, command("insert", "documents", large))
    assert (reply["n"], "writeErrors" in reply) == (4, False)


async def test_errors_of_single_documents_are_in_the_reply(client: LendingClient, mongodb_database: str) -> None:
    documents = [{"_id": 1}, {"_id": 1}, {"_id": 2}]
    reply = await client.write(mongodb_database, command("insert", "documents", documents))
    assert (reply["n"], [(error["index"], error["code"]) for error in reply["writeErrors"]]) == (2, [(1, 11000)])
    reply = await client.write(mongodb_database, command("delete", "deletes", [{"q": {"_id": 1}, "limit": 1}]))
    assert reply["n"] == 1


async def test_sessions_are_used_again_one_write_at_a_time(client: LendingClient, mongodb_database: str) -> None:
    for number in range(3):
        await client.write(mongodb_database, command("insert", "documents", [{"_id": number}]))
    assert [session._number for session in client._sessions] == [3]
