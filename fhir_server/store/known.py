"""Which resources are known to be there, so that a reference to them need not ask MongoDB each time.

A key is known for KNOWN_S from the moment it was asked for or written. A deletion by this process ends that at once;
a deletion by another process may be noticed that much later, which stores nothing that a reference written just before
the deletion would not have stored.

Keys that are in use when half of that has passed are asked for again together with the first key that has to be asked
for anyway: what many writes refer to costs one question in a while, not one for each key each time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from fhir_server.store.changes import Key

KNOWN_S = 2.0
MOST_KEYS = 20_000
MOST_AGEING = 1000
"""Keys that are asked for again together."""


class KnownKeys:
    """Keys of current versions, each with the instant of `clock` (seconds) at which it is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[Key, float] = {}
        self._ageing: set[Key] = set()
        self._forgot_at = -1.0

    def now(self) -> float:
        """Returns the instant to hand to `remember` for what is asked from now on."""
        return self._clock()

    def to_ask(self, keys: Iterable[Key]) -> list[Key]:
        """Returns those of the keys that have to be asked for, and with them others that soon will have to be."""
        now, until = self._clock(), self._until
        asked: list[Key] = []
        for key in keys:
            left_s = until.get(key, -1.0) - now
            if left_s < 0:
                asked.append(key)
            elif left_s < KNOWN_S / 2 and len(self._ageing) < MOST_AGEING:
                self._ageing.add(key)
        if asked and self._ageing:
            asked += self._ageing.difference(asked)
            self._ageing.clear()
        return asked

    def remember(self, keys: Iterable[Key], asked_at: float) -> None:
        """Knows the keys from `asked_at` on, unless something was deleted since: it may have been one of them."""
        if asked_at <= self._forgot_at:
            return
        if len(self._until) >= MOST_KEYS:
            self._until = {key: until for key, until in self._until.items() if until >= asked_at}
            if len(self._until) >= MOST_KEYS:
                self._until.clear()
        self._until.update(dict.fromkeys(keys, asked_at + KNOWN_S))

    def forget(self, keys: Collection[Key]) -> None:
        """Forgets deleted keys."""
        if not keys:
            return
        self._forgot_at = self._clock()
        for key in keys:
            self._until.pop(key, None)
            self._ageing.discard(key)
