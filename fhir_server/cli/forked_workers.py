"""Worker processes that begin as copies of the command that starts them.

The server program starts each process as a new interpreter, which loads all modules again: a second for each, all at
the same time, after the command itself has loaded them. A copy begins with what is there, and shares its memory.

A copy has none of the other threads of its original, but their locks as they stood. So there are copies only while the
command has no other thread; and only on Linux, where the libraries below are made for it.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from multiprocessing.context import ForkContext, ForkProcess
from typing import ClassVar

from uvicorn import _subprocess
from uvicorn.supervisors.multiprocess import SIGNALS

_ENDING_S = 0.5
"""How long a thread that is about to end, such as one of a closed MongoDB client, is waited for."""


class WorkerCopy(ForkProcess):
    """One process; signals reach it as they would reach a new interpreter."""

    def start(self) -> None:
        """Makes the copy. Signals that come meanwhile wait until the copy no longer heeds them as its original does."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def run(self) -> None:
        """Does what the process is for."""
        for each in SIGNALS:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        super().run()


class _Copying(ForkContext):
    Process: ClassVar[type[WorkerCopy]] = WorkerCopy


def copy_workers() -> bool:
    """Has uvicorn make its processes as copies from now on, where that can be; returns whether."""
    can_copy = sys.platform == "linux" and _is_alone()
    # What the pinned uvicorn makes processes with; `tests/unit/cli/test_forked_workers.py` proves that they are copies.
    vars(_subprocess)["spawn"] = _Copying() if can_copy else multiprocessing.get_context("spawn")
    return can_copy


def _is_alone() -> bool:
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_ENDING_S)
    return threading.active_count() == 1
