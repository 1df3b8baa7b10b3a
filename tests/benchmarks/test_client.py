"""The load generator finds the end of every answer, however it is cut, and reports what it cannot use."""

import asyncio
import itertools

import pytest

from tests.benchmarks.client import answer_length, encode_request, run_round

HELLO = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: W/"1"\r\n\r\nhello'


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (HELLO, len(HELLO)),
        (HELLO + b"HTTP/1.1", len(HELLO)),
        (HELLO[:20], None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 27),
        (b"HTTP/1.1 200 OK\r\ncontent-length:7\r\n\r\n", 44),
    ],
)
def test_answer_length_follows_from_the_head(data: bytes, length: int | None) -> None:
    assert answer_length(data) == length


def test_answer_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        answer_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


async def serve(reply: tuple[bytes, ...]) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            for part in reply:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            if not reply:
                break
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.mark.parametrize("cuts", [(), (3,), (40, 50), (len(HELLO) - 1,)], ids=str)
async def test_run_round_answers_every_request_once(cuts: tuple[int, ...]) -> None:
    edges = (0, *cuts, len(HELLO))
    server = await serve(tuple(HELLO[low:high] for low, high in itertools.pairwise(edges)))
    requests = [encode_request("GET", f"/{number}") for number in range(100)]
    async with server:
        done = await run_round(server.sockets[0].getsockname()[1], iter(requests), seconds=30, connections=4)
    assert done.failures == []
    assert sorted(answer.number for answer in done.answers) == list(range(100))
    assert {(answer.status, answer.header("etag"), answer.body) for answer in done.answers} == {
        (200, 'W/"1"', b"hello")
    }


async def test_run_round_reports_a_lost_connection() -> None:
    server = await serve(())
    async with server:
        done = await run_round(
            server.sockets[0].getsockname()[1], itertools.repeat(encode_request("GET", "/")), seconds=30, connections=2
        )
    assert len(done.failures) == 2
    assert done.answers == []
