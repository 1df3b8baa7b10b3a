"""Background tasks end, even those that lose a cancellation."""

import asyncio
from contextlib import suppress

import pytest

from fhir_server.store import background


async def test_tasks_that_lose_a_cancellation_end_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_AGAIN_S", 0.01)
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while lost < 2:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            lost += 1
        await asyncio.sleep(60)

    async def failing() -> None:
        raise ValueError("nobody's concern")

    tasks = [asyncio.create_task(each) for each in (stubborn(), failing(), asyncio.sleep(0))]
    await asyncio.sleep(0)
    await background.end_tasks(tasks)
    assert lost == 2
    assert all(task.done() for task in tasks)


async def test_nothing_to_end_is_no_wait() -> None:
    await background.end_tasks(())
