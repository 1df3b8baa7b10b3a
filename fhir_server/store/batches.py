"""Requests that wait together travel together: the one mechanism behind shared reads, inserts and transactions.

While a round trip of a kind is under way, further requests of that kind gather, and go as one batch when it is back.
An idle store sends at the end of the event loop's turn in which the request arrived. A busy one may linger, where that
is asked for, until the crowd waits: those that are known to be coming, else as many as were about last time. Requests
that share a key never travel at the same time, and keep their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Sequence

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_NO_KEYS: frozenset[Hashable] = frozenset()


class Crowd:
    """How many requests are bound for batches: each is counted from when work on it begins until it is answered.

    A bundle is checked for milliseconds before it can wait for a batch; without this nobody would wait for it there.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_error: object) -> None:
        self.count -= 1


class _Waiting(Generic[Request, Answer]):
    __slots__ = ("answer", "keys", "request", "weight")

    def __init__(self, request: Request, keys: frozenset[Hashable], weight: int) -> None:
        self.request = request
        self.keys = keys
        self.weight = weight
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()


class Batches(Generic[Request, Answer]):
    """Sends requests in batches; `send` returns one answer, or one exception to raise, per request of its batch, in
    order.

    At most `in_flight` batches travel at a time, each of at most `max_requests` requests and of `max_weight` together
    (a heavier request goes alone). What `send` raises is raised to each request of the batch. A batch of less than the
    `crowd` waits for more up to `linger_s`, in seconds; without a crowd, one of less than the requests that waited or
    travelled when the one before it came back.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Request]], Awaitable[Sequence[Answer | BaseException]]],
        *,
        in_flight: int = 1,
        max_requests: int = 500,
        max_weight: int = 1000,
        linger_s: float = 0.0,
        crowd: Crowd | None = None,
    ) -> None:
        self._send = send
        self._crowd = crowd
        self._linger_s = linger_s
        self._lingering: asyncio.TimerHandle | None = None
        self._last_crowd = 0
        self._on_the_way = 0
        self._in_flight = in_flight
        self._max_requests = max_requests
        self._max_weight = max_weight
        self._waiting: deque[_Waiting[Request, Answer]] = deque()
        self._travelling: set[asyncio.Task[None]] = set()
        self._busy: set[Hashable] = set()
        self._is_woken = False

    async def submit(self, request: Request, *, keys: frozenset[Hashable] = _NO_KEYS, weight: int = 1) -> Answer:
        """Returns the answer to this request; `keys` are what no other request may touch meanwhile."""
        return await self.enqueue(request, keys=keys, weight=weight)

    def enqueue(
        self, request: Request, *, keys: frozenset[Hashable] = _NO_KEYS, weight: int = 1
    ) -> asyncio.Future[Answer]:
        """Returns the future answer to this request, which is on its way from now on; it has to be awaited."""
        waiting: _Waiting[Request, Answer] = _Waiting(request, keys, weight)
        self._waiting.append(waiting)
        if self._lingering is None:
            self._wake()
        elif self._are_enough():
            self._depart_now()
        return waiting.answer

    def _wake(self) -> None:
        # At the end of this turn of the loop: whoever was woken by the same batch joins the next one.
        if not self._is_woken and len(self._travelling) < self._in_flight:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._depart)

    def _depart(self) -> None:
        self._is_woken = False
        if not self._linger_s or not self._waiting or self._are_enough():
            self._depart_now()
        elif self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(self._linger_s, self._depart_now)

    def _are_enough(self) -> bool:
        # All that are about: MongoDB's cost is per command more than per request, and other processes are at work while
        # this one waits for its batch.
        crowd = self._last_crowd if self._crowd is None else self._crowd.count
        return len(self._waiting) >= min(crowd, self._max_requests)

    def _depart_now(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        batch = self._next_batch()
        if not batch:
            return
        self._on_the_way += len(batch)
        for waiting in batch:
            self._busy |= waiting.keys
        task = asyncio.get_running_loop().create_task(self._travel(batch))
        self._travelling.add(task)
        if self._waiting:
            self._wake()

    def _next_batch(self) -> list[_Waiting[Request, Answer]]:
        batch: list[_Waiting[Request, Answer]] = []
        deferred: list[_Waiting[Request, Answer]] = []
        blocked, weight = set(self._busy), 0
        while self._waiting and len(batch) < self._max_requests:
            waiting = self._waiting.popleft()
            if waiting.answer.done():  # its caller went away before it was sent
                continue
            if not blocked.isdisjoint(waiting.keys):
                deferred.append(waiting)
            elif batch and weight + waiting.weight > self._max_weight:
                deferred.append(waiting)
                break
            else:
                batch.append(waiting)
                weight += waiting.weight
            blocked |= waiting.keys
        self._waiting.extendleft(reversed(deferred))
        return batch

    async def _travel(self, batch: list[_Waiting[Request, Answer]]) -> None:
        answers: Sequence[Answer | BaseException]
        try:
            answers = await self._send([waiting.request for waiting in batch])
        except asyncio.CancelledError as error:
            answers = [error] * len(batch)
            raise
        except Exception as error:  # each request of the batch is told, nobody waits for ever
            answers = [error] * len(batch)
        finally:
            self._arrive(batch, answers)

    def _arrive(self, batch: list[_Waiting[Request, Answer]], answers: Sequence[Answer | BaseException]) -> None:
        for waiting, answer in zip(batch, answers, strict=True):
            self._busy -= waiting.keys
            if waiting.answer.done():
                continue
            if isinstance(answer, asyncio.CancelledError):
                waiting.answer.cancel()
            elif isinstance(answer, BaseException):
                waiting.answer.set_exception(answer)
                waiting.answer.exception()  # who asked for several and failed at the first does not await the rest
            else:
                waiting.answer.set_result(answer)
        self._last_crowd = self._on_the_way + len(self._waiting)
        self._on_the_way -= len(batch)
        task = asyncio.current_task()
        if task is not None:
            self._travelling.discard(task)
        # Woken last, so that those who were just answered ask again before the next batch departs.
        if self._waiting:
            self._wake()
