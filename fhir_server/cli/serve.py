"""`fhir-server serve`: the server program, with the embedded MongoDB where no other is given."""

import argparse
import asyncio
import ctypes
import gc
import ipaddress
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn

from fhir_server import __version__
from fhir_server.app import ROOT, FhirServer, create_app, definitions_of, policy_of
from fhir_server.cli.even_connections import CountedProtocol, shared_counts
from fhir_server.cli.forked_workers import copy_workers
from fhir_server.errors import StoreUnavailable
from fhir_server.settings import Settings, variable_name, with_folders
from fhir_server.store import EmbeddedMongod
from fhir_server.store.connection import check_server, connect
from fhir_server.validation import ValidationOptions

PARENT = "FHIR_PARENT_PID"
"""Tells worker processes whose end they must not outlive."""
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """Runs the server until SIGTERM or Ctrl-C; returns 0, or 1 with one sentence where it can't start."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        return _fail(str(error))
    if wrong := wrong_setting(settings):
        return _fail(wrong)
    if not is_loopback(options.host):
        return _fail(
            f"Sans contrôle d'accès (à venir), le serveur n'écoute que sur 127.0.0.1, pas sur {options.host}.\n"
            f"There is no access control yet: the server listens on 127.0.0.1 only, not on {options.host}."
        )
    if not is_free(options.host, options.port):
        return _fail(
            f"Le port {options.port} est déjà utilisé ; choisissez-en un autre avec --port.\n"
            f"Port {options.port} is in use; choose another with --port."
        )
    try:
        with mongodb(settings, options.data_dir) as uri:
            asyncio.run(check_mongodb(uri, settings))
            _announce(options, embedded=not settings.mongodb_uri)
            return run(options.host, options.port, options.workers, uri, with_folders(settings, options.data_dir))
    except StoreUnavailable as error:
        return _fail(f"{error.french}\n{error.english}")
    except OSError as error:
        return _fail(
            f"Le dossier {options.data_dir} n'est pas utilisable : {error.strerror}.\n"
            f"The folder {options.data_dir} cannot be used: {error.strerror}."
        )


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's options."""
    parser = argparse.ArgumentParser(
        prog="fhir-server serve",
        description="Démarre le serveur FHIR · Starts the FHIR server",
        epilog="Les réglages sont des variables d'environnement FHIR_… (voir README.md).",
    )
    parser.add_argument("--host", default="127.0.0.1", help="adresse d'écoute · address to listen on (%(default)s)")
    parser.add_argument("--port", type=whole_number(1, 65535), default=8080, help="port (%(default)s)")
    parser.add_argument("--workers", type=whole_number(1, 512), default=1, help="processus · processes (%(default)s)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="dossier de la MongoDB embarquée ; sans lui, données provisoires · folder of the embedded MongoDB",
    )
    return parser


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Returns the reader of an option's number, for argparse."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} : {least}…{most}")

    return read


def wrong_setting(settings: Settings) -> str:
    """Returns the sentence about a setting that the server could not start with, empty where there is none."""
    if settings.language not in ("fr", "en"):
        return f"{variable_name('language')} : `fr` ou `en`, pas · `fr` or `en`, not `{settings.language}`."
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{variable_name('time_zone')} : fuseau inconnu · unknown time zone `{settings.time_zone}`."
    if settings.log_level not in ("debug", "info", "warning", "error"):
        return f"{variable_name('log_level')} : niveau inconnu · unknown level `{settings.log_level}`."
    return _wrong_validation(settings)


def _wrong_validation(settings: Settings) -> str:
    choices = {name: getattr(settings, name) for name in ("best_practice", "unknown_extensions", "identifiers")}
    for name, choice in choices.items():
        try:
            ValidationOptions(**{name: choice})
        except ValueError as error:
            return f"{variable_name(name)} : {error}"
    try:
        if settings.validation_policy:
            policy_of(settings, definitions_of(settings))
    except ValueError as error:
        return f"{variable_name('validation_policy')} : {error}"
    return ""


@contextmanager
def mongodb(settings: Settings, data_dir: Path | None) -> Iterator[str]:
    """Gives the URI of the MongoDB to use; the embedded one, where it is that, ends with the block."""
    if settings.mongodb_uri:
        yield settings.mongodb_uri
        return
    embedded = EmbeddedMongod(data_dir)
    embedded.start()
    try:
        yield embedded.uri
    finally:
        embedded.stop()


def run(host: str, port: int, workers: int, uri: str, settings: Settings) -> int:
    """Runs the server program until a signal ends it."""
    os.environ[variable_name("mongodb_uri")] = uri
    os.environ[variable_name("page_key")] = settings.page_key or secrets.token_hex(32)
    os.environ[variable_name("terminology_dir")] = settings.terminology_dir
    os.environ[variable_name("packages_dir")] = settings.packages_dir
    os.environ[PARENT] = str(os.getpid())
    # A signal that comes before uvicorn listens to it must still stop the embedded MongoDB.
    signal.signal(signal.SIGTERM, _exit)
    is_shared = workers > 1
    if is_shared:
        copy_workers()
    try:
        with shared_counts(workers) if is_shared else nullcontext():
            uvicorn.run(
                "fhir_server.cli.serve:create_worker",
                factory=True,
                host=host,
                port=port,
                workers=workers,
                loop="fhir_server.cli.even_connections:EvenLoop" if is_shared else "uvloop",
                http=CountedProtocol,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                log_level="warning",
                timeout_graceful_shutdown=10,
            )
    except KeyboardInterrupt:
        return 0
    return 0


async def check_mongodb(uri: str, settings: Settings) -> None:
    """Raises StoreUnavailable, saying what to do, where the server could not work with this MongoDB."""
    async with connect(uri, selection_timeout_s=settings.mongodb_timeout_ms / 1000) as client:
        await check_server(client)


def create_worker() -> FhirServer:
    """Returns the app of one process of the server program; on Linux the process ends when the command's does."""
    if os.getpid() != int(os.environ[PARENT]) and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    app = create_app()
    _rest_the_collector()
    return app


def _rest_the_collector() -> None:
    """Spares the garbage collector the definitions, which never become garbage, and most of its rounds.

    A bundle is thousands of small objects that reference counting frees; looking for cycles among them, and through all
    definitions each time, took a quarter of the time of a transaction. Modules were spared before (`cli`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_free(host: str, port: int) -> bool:
    """True where nothing listens on the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _announce(options: argparse.Namespace, *, embedded: bool) -> None:
    print(f"Serveur FHIR MSMA {__version__} : http://{options.host}:{options.port}{ROOT}")
    print("  Accès ouvert à tout programme de cette machine · Access is open to every program on this machine.")
    if embedded:
        where = options.data_dir or "dossier provisoire, effacé à l'arrêt · temporary folder, removed at the end"
        print(f"  MongoDB embarquée, pour l'essai · embedded MongoDB, for trials: {where}")
    sys.stdout.flush()


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
