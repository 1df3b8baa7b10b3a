"""The light way of sending and receiving gives the answers, time-outs and errors of the driver's own."""

import asyncio
from typing import Any

import pymongo
import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous import pool
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure

from fhir_server.store import driver
from fhir_server.store.connection import connect

pytestmark = pytest.mark.mongo


def test_the_driver_is_the_one_this_was_written_for() -> None:
    assert pymongo.version == "4.20.0"


async def test_connecting_makes_the_driver_light(mongodb_uri: str) -> None:
    async with connect(mongodb_uri) as client:
        assert (await client.admin.command("ping"))["ok"] == 1
        assert pool.async_receive_message is driver.receive_reply  # type: ignore[attr-defined]
        assert pool.async_sendall is driver.send_command  # type: ignore[attr-defined]


async def test_answers_and_refusals_are_the_drivers(mongodb_uri: str) -> None:
    async with connect(mongodb_uri) as client:
        answers = await asyncio.gather(*(client.admin.command("buildInfo") for _ in range(50)))
        assert {answer["ok"] for answer in answers} == {1.0}
        with pytest.raises(OperationFailure):
            await client.admin.command("noSuchCommand")


async def test_a_reply_that_does_not_come_is_a_time_out(mongodb_uri: str) -> None:
    slow: dict[str, Any] = {"find": "system.version", "filter": {"$where": "sleep(3000) || true"}}
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_uri, socketTimeoutMS=300, retryReads=False)
    async with client:
        await client.admin.command("ping")
        with pytest.raises(NetworkTimeout):
            await client.admin.command(slow)
        assert (await client.admin.command("ping"))["ok"] == 1, "the next command has a connection of its own"


async def test_a_connection_that_breaks_while_waiting_is_an_error(mongodb_uri: str) -> None:
    async with connect(mongodb_uri) as client:
        await client.admin.command("ping")
        [server] = client._topology._servers.values()
        waiting = asyncio.create_task(client.admin.command({"hello": 1, "comment": "x"}))
        async with server.pool.checkout() as connection:
            reading = asyncio.create_task(connection.receive_message(None))
            await asyncio.sleep(0)
            connection.conn.conn[0].abort()
            with pytest.raises(AutoReconnect):
                await reading
        assert (await waiting)["ok"] == 1
