"""Ends background tasks surely.

A task that is cancelled while the driver waits for a server, or while what it waits for comes true, may lose the
cancellation and go on: it is cancelled again until it has ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_AGAIN_S = 2.0


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Returns once all of the tasks have ended; how they ended is nobody's concern any more."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
        for task in done:
            if not task.cancelled():
                task.exception()
