"""Lets heavy work through one piece per turn of the event loop.

Validating a large bundle takes milliseconds. When several arrive together, all of it would run in one turn of the loop:
nothing is sent to MongoDB before the last is validated, and small requests wait for all of them. Through the turnstile
one bundle is worked on, then the loop sends, receives and serves others, then comes the next, in order of arrival.
"""

import asyncio


class Turnstile:
    """One at a time, first come first served."""

    def __init__(self) -> None:
        self._gate = asyncio.Lock()

    async def passed(self) -> None:
        """Returns when it is the caller's turn; the loop has seen to its sockets since the last one had theirs."""
        async with self._gate:
            await asyncio.sleep(0)
