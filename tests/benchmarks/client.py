"""HTTP/1.1 load: keep-alive connections on raw sockets, with requests encoded beforehand and answers checked later.

On two cores the load generator takes its share from the server it measures, so it does nothing per answer but find
its end and send the next request. Not a general client: no chunked answers, no redirects, no TLS.
"""

import asyncio
import gc
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

CONNECTIONS = 16
MEDIA_TYPE = "application/fhir+json"

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BODILESS = (b"204", b"304")
_DRAIN_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `number` is the place of its request in the round, from 0."""

    number: int
    raw: bytes
    seconds: float

    @property
    def status(self) -> int:
        return int(self.raw[9:12])

    @property
    def body(self) -> bytes:
        return self.raw[self.raw.index(b"\r\n\r\n") + 4 :]

    def header(self, name: str) -> str | None:
        """Returns the first value of a header, without its surrounding spaces."""
        head = self.raw[: self.raw.index(b"\r\n\r\n")].decode("latin-1")
        for line in head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@dataclass(frozen=True, slots=True)
class Round:
    """What one timed round gave: answers in order of arrival, from the first byte sent to the last answer."""

    answers: list[Answer]
    seconds: float
    failures: list[str]


def encode_request(method: str, path: str, body: bytes = b"", *, headers: dict[str, str] | None = None) -> bytes:
    """Returns the whole request as bytes; a body is announced as FHIR JSON."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Accept: {MEDIA_TYPE}"]
    if body or method in {"POST", "PUT"}:
        lines += [f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer_length(data: bytes) -> int | None:
    """Returns the number of bytes of the answer that starts `data`; None while its head is incomplete.

    Raises ValueError for an answer that does not announce its length.
    """
    head_end = data.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    found = _CONTENT_LENGTH.search(data, 0, head_end)
    if found:
        return head_end + 4 + int(found[1])
    if data[9:12] in _BODILESS:
        return head_end + 4
    raise ValueError(f"Answer without Content-Length: {data[:head_end]!r}")


class _Load:
    """What the connections of one round share."""

    def __init__(self, requests: Iterator[bytes], connections: int, watch: Callable[[Answer], None] | None) -> None:
        self.requests = enumerate(requests)
        self.watch = watch
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self.deadline = 0.0
        self.open = connections
        self.finished = asyncio.get_running_loop().create_future()

    def next_request(self, now: float) -> tuple[int, bytes] | None:
        return next(self.requests, None) if now < self.deadline else None

    def close_one(self) -> None:
        self.open -= 1
        if not self.open and not self.finished.done():
            self.finished.set_result(None)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0
        self._number = 0
        self._sent_at = 0.0
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream connection gets a Transport

    def send_next(self) -> None:
        now = time.perf_counter()
        request = self._load.next_request(now)
        if request is None or self._transport is None:
            self._finish()
            return
        self._number, data = request
        self._sent_at = now
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return
        if len(self._parts) > 1:
            data = b"".join(self._parts)
            self._parts = [data]
        try:
            need = self._need or answer_length(data)
        except ValueError as error:
            self._fail(str(error))
            return
        if need is None or len(data) < need:
            self._need = need or 0
            return
        self._parts.clear()
        self._have = self._need = 0
        answer = Answer(self._number, data, time.perf_counter() - self._sent_at)
        self._load.answers.append(answer)
        if self._load.watch:
            self._load.watch(answer)
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done:
            self._fail(f"Connection lost during request {self._number}: {exc}")

    def _fail(self, why: str) -> None:
        self._load.failures.append(why)
        self._finish()

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            self._load.close_one()
            if self._transport is not None:
                self._transport.close()


async def run_round(
    port: int,
    requests: Iterator[bytes],
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    watch: Callable[[Answer], None] | None = None,
) -> Round:
    """Returns the answers to `requests`, sent for `seconds` over connections that each have one request under way.

    What is under way at the end is waited for and counted, with its time. Ends early when the requests run out.
    `watch` sees each answer as it comes.
    """
    loop = asyncio.get_running_loop()
    load = _Load(requests, connections, watch)
    protocols = [
        (await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    gc.collect()
    gc.disable()  # a collection over tens of thousands of kept answers would be charged to the server
    try:
        started = time.perf_counter()
        load.deadline = started + seconds
        for protocol in protocols:
            protocol.send_next()
        await asyncio.wait_for(load.finished, seconds + _DRAIN_TIMEOUT_S)
        elapsed = time.perf_counter() - started
    finally:
        gc.enable()
    return Round(load.answers, elapsed, load.failures)
