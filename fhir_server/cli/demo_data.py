"""`fhir-server demo-data`: loads a synthetic network through the public API of a server, or writes it as NDJSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from tqdm import tqdm

from fhir_server import synthetic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhir_server.synthetic.course import Course

DEFAULT_SERVER = "http://127.0.0.1:8080/fhir"
LARGEST_SEED = 9_999_999
_TIMEOUT_S = 120.0
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Generates and loads the network; returns 0, 1 where the server refuses, 2 for a directory that is in use."""
    options = _parse(arguments)
    started = time.monotonic()
    tally = synthetic.Tally()
    try:
        with ExitStack() as stack:
            patients = sum(network.size for network in synthetic.plan_networks(options.size))
            progress = stack.enter_context(_Progress(patients))
            on_bundle = [tally.add_bundle, progress.add_bundle]
            if options.ndjson:
                if not options.force and any(options.ndjson.glob("*.ndjson")):
                    print(f"{options.ndjson} contient déjà des fichiers NDJSON · in use: --force", file=sys.stderr)
                    return 2
                on_bundle.insert(0, stack.enter_context(synthetic.NdjsonFiles(options.ndjson)).write)
            _run(options, on_bundle, [tally.add_course, progress.add_course])
    except synthetic.LoadRefused as refusal:
        print(f"Chargement arrêté · loading stopped:\n{refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrompu ; relancez la même commande pour finir · interrupted, run it again.", file=sys.stderr)
        return _INTERRUPTED
    networks = synthetic.build_networks(options.size, options.seed)
    print(synthetic.build_summary(tally, networks, national=options.size == "national"))
    took = time.monotonic() - started
    print(f"{took:.1f} s, {sum(tally.resources.values()) / took:,.0f} ressources/s · resources/s".replace(",", " "))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fhir-server demo-data",
        description="Réseau synthétique de microstructures, sans personne réelle · synthetic network, no real person",
    )
    parser.add_argument("--size", choices=("small", "regional", "national"), default="small", help="(%(default)s)")
    parser.add_argument("--seed", type=_seed, default=synthetic.DEFAULT_SEED, help="graine · seed (%(default)s)")
    parser.add_argument("--server", help=f"URL de base · base URL ({DEFAULT_SERVER})")
    parser.add_argument(
        "--ndjson",
        type=Path,
        metavar="DIR",
        help="un fichier par type ; sans --server, ne charge rien · writes files; without --server, loads nothing",
    )
    parser.add_argument("--workers", type=_workers, default=4, help="bundles en parallèle · at once (%(default)s)")
    parser.add_argument(
        "--force",
        action="store_true",
        help="même si le serveur a d'autres patients, ou DIR d'autres fichiers · even where other data is there",
    )
    return parser.parse_args(arguments)


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"0..{LARGEST_SEED}")
    return seed


def _workers(text: str) -> int:
    workers = int(text)
    if workers < 1:
        raise argparse.ArgumentTypeError("≥ 1")
    return workers


def _run(
    options: argparse.Namespace,
    on_bundle: Sequence[Callable[[dict[str, Any]], None]],
    on_course: Sequence[Callable[[Course], None]],
) -> None:
    def bundle_done(bundle: dict[str, Any]) -> None:
        for observer in on_bundle:
            observer(bundle)

    def course_done(course: Course) -> None:
        for observer in on_course:
            observer(course)

    if options.ndjson and not options.server:
        synthetic.write_network(options.size, options.seed, on_bundle=bundle_done, on_course=course_done)
    else:
        asyncio.run(_load(options, bundle_done, course_done))


async def _load(
    options: argparse.Namespace, bundle_done: Callable[[dict[str, Any]], None], course_done: Callable[[Course], None]
) -> None:
    limits = httpx.Limits(max_connections=options.workers + 1, max_keepalive_connections=options.workers + 1)
    base_url = (options.server or DEFAULT_SERVER).rstrip("/")
    async with httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT_S, limits=limits) as client:
        foreign = await synthetic.count_foreign_patients(client)
        if foreign and not options.force:
            raise synthetic.LoadRefused(
                f"{base_url} a {foreign} patient(s) qui ne sont pas des données de test : --force pour y mêler un "
                f"réseau synthétique · the server holds patients that are not test data."
            )
        loader = synthetic.Loader(client, bundle_done, course_done)
        await loader.load(options.size, options.seed, options.workers)


class _Progress:
    """A bar of resources whose total is extrapolated from the patients done; it clears itself at the end."""

    def __init__(self, patients: int) -> None:
        self._patients = patients
        self._done = 0
        self._bar: tqdm[Any] = tqdm(total=None, unit=" ressources", unit_scale=True, disable=None, leave=False)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add_bundle(self, bundle: dict[str, Any]) -> None:
        self._bar.update(len(bundle["entry"]))

    def add_course(self, _: Course) -> None:
        self._done += 1
        self._bar.total = round(self._bar.n * self._patients / self._done)
