"""Worker processes that begin as copies: tested in new interpreters, without the threads and handlers of pytest."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

from uvicorn import Config
from uvicorn._subprocess import get_subprocess
from uvicorn.supervisors.multiprocess import SIGNALS

from fhir_server.cli.forked_workers import WorkerCopy, copy_workers

ROOT = Path(__file__).parents[3]
ROUNDS = 20


def in_new_interpreter(source: str) -> str:
    """Returns what a program prints that finds this module as `here`."""
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); import test_forked_workers as here\n" + textwrap.dedent(source)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert not done.stderr, done.stderr
    return done.stdout


def made_by_uvicorn() -> str:
    """Returns the kind of process that uvicorn makes."""
    return type(get_subprocess(Config("absent:app"), lambda **_: None, [])).__name__


def sleep() -> None:
    """What a process does in these tests."""
    time.sleep(60)


def say_what_is_heeded() -> None:
    """Prints whether a copy heeds any signal in another way than a new interpreter, and which are held back."""
    changed = [each for each in SIGNALS if callable(signal.getsignal(each)) and each != signal.SIGINT]
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ()) & SIGNALS.keys()
    print(changed, sorted(held), signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)  # noqa: T201


def handle_all() -> None:
    """Handles signals as uvicorn's parent process does: it takes note, and goes on."""
    for each in SIGNALS:
        signal.signal(each, lambda number, frame: None)


def end_at_once() -> None:
    """Ends processes the moment that they are made: none may miss it."""
    handle_all()
    for _ in range(ROUNDS):
        process = WorkerCopy(target=sleep)
        process.start()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(10)
        assert process.exitcode == -signal.SIGTERM, process.exitcode


def kinds() -> list[str]:
    """Returns what uvicorn makes: before, of a command without threads, while there is one, after it."""
    found = [made_by_uvicorn()]
    assert copy_workers()
    found.append(made_by_uvicorn())
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert not copy_workers()
    found.append(made_by_uvicorn())
    done.set()
    assert copy_workers()
    return [*found, made_by_uvicorn()]


def test_uvicorn_makes_copies_where_there_is_no_other_thread() -> None:
    printed = in_new_interpreter("print(*here.kinds())")
    assert printed.split() == ["SpawnProcess", "WorkerCopy", "SpawnProcess", "WorkerCopy"]


def test_copy_heeds_signals_like_a_new_interpreter() -> None:
    printed = in_new_interpreter(
        """
        here.handle_all()
        process = here.WorkerCopy(target=here.say_what_is_heeded)
        process.start()
        process.join(10)
        here.say_what_is_heeded()
        """
    )
    copy, original = printed.splitlines()
    assert copy == "[] [] True"
    assert original.endswith("[] False")


def test_copy_that_is_ended_at_once_ends() -> None:
    in_new_interpreter("here.end_at_once()")
