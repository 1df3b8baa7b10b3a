"""Server processes as an operator sees them: started, awaited over HTTP, measured, ended; with all they start."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_S = 0.02
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


def free_port() -> int:
    """Returns a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def group_members(group: int) -> list[int]:
    """Returns the live processes of a process group; zombies are not live."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat_fields(int(entry.name))
            if fields is not None and int(fields[2]) == group and fields[0] != "Z":
                members.append(int(entry.name))
    return members


def processes_naming(text: str) -> list[int]:
    """Returns the live processes with `text` in their command line, such as a data directory; not this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in command:
                found.append(int(entry.name))
    return found


def command_line(pid: int) -> str:
    """Returns the command line of a process with spaces between its arguments; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def resident_mb(pid: int) -> float:
    """Returns the resident memory of a process in MB (10**6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _stat_fields(pid: int) -> list[str] | None:
    """Returns the fields of /proc/<pid>/stat after the command's name: state, parent, group …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


class ServerProcess:
    """One HTTP server in a process group of its own, its output in a log file."""

    def __init__(self, arguments: list[str], *, port: int, ready_path: str, log: Path) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"
        self._arguments = arguments
        self._ready_path = ready_path
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: dict[str, str] | None = None) -> float:
        """Returns the seconds from the start of the process to its first 200; raises RuntimeError if it ends first."""
        started = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        while time.perf_counter() - started < START_TIMEOUT_S:
            if self._process.poll() is not None:
                break
            if self._is_ready():
                return time.perf_counter() - started
            time.sleep(POLL_S)
        self.kill()
        raise RuntimeError(f"{' '.join(self._arguments)} does not answer:\n{self.log_tail()}")

    def _is_ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    @property
    def pid(self) -> int:
        """The first process, and the number of the process group."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def members(self) -> list[int]:
        """Returns the live processes of the server's group."""
        return group_members(self.pid)

    def stop(self) -> int:
        """Returns the exit status after SIGTERM; raises subprocess.TimeoutExpired if the server stays."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Ends the whole process group with SIGKILL; nothing happens when it has ended."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT_S)

    def log_tail(self, lines: int = 30) -> str:
        """Returns the last lines that the server wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def fhir_server(*, log: Path, workers: int = 1, data_dir: Path | None = None, port: int | None = None) -> ServerProcess:
    """Returns the FHIR server, not started yet; with `data_dir` it starts a MongoDB of its own there."""
    port = port or free_port()
    arguments = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--workers", str(workers)]
    if data_dir is not None:
        arguments += ["--data-dir", str(data_dir)]
    return ServerProcess(arguments, port=port, ready_path="/fhir/metadata", log=log)


def bare_server(*, log: Path, workers: int) -> ServerProcess:
    """Returns the bare ASGI function under uvicorn, not started yet."""
    port = free_port()
    arguments = [sys.executable, "-m", "uvicorn", "tests.benchmarks.bare:application", "--port", str(port)]
    arguments += ["--workers", str(workers), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    arguments += ["--log-level", "warning"]
    return ServerProcess(arguments, port=port, ready_path="/Observation/none", log=log)
