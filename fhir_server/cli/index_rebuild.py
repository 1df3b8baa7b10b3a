"""`fhir-server index-rebuild`: builds what the search index lacks, in the foreground, with a progress bar.

Servers do the same in the background. Here it is done at full speed, say before a new version is started; it may be
stopped and begun again at any time, beside running servers too. With `--all`, servers then make the postings of texts
anew as well.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fhir_server.app import definitions_of, search_parameters_of
from fhir_server.cli.serve import mongodb, wrong_setting
from fhir_server.errors import FhirError
from fhir_server.index import MONGODB_INDEXES, Indexer
from fhir_server.interactions.index_build import IndexBuild
from fhir_server.interactions.parameter_watch import ParameterWatch
from fhir_server.settings import Settings, with_folders
from fhir_server.spec.definitions import resource_types
from fhir_server.store import ResourceStore, open_store


def main(arguments: Sequence[str]) -> int:
    """Builds the index; returns 0 once it is complete, 1 where it cannot be built."""
    options = build_parser().parse_args(arguments)
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        return _fail(str(error))
    if wrong := wrong_setting(settings):
        return _fail(wrong)
    if unknown := sorted(set(options.type) - resource_types()):
        return _fail(f"Types inconnus · unknown types: {', '.join(unknown)}.")
    if not settings.mongodb_uri and options.data_dir is None:
        return _fail("Donnez FHIR_MONGODB_URI ou --data-dir · give FHIR_MONGODB_URI or --data-dir.")
    try:
        with mongodb(settings, options.data_dir) as uri:
            asyncio.run(_rebuild(with_folders(settings, options.data_dir), uri, options))
    except FhirError as error:
        return _fail(f"{error.french}\n{error.english}")
    except OSError as error:
        return _fail(f"{options.data_dir} : {error.strerror}.")
    except KeyboardInterrupt:
        return _fail("Interrompu ; relancez pour continuer · interrupted; run it again to go on.")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's options."""
    parser = argparse.ArgumentParser(
        prog="fhir-server index-rebuild",
        description="Complète l'index de recherche · builds what the search index lacks",
        epilog="Les réglages sont des variables d'environnement FHIR_… (voir README.md).",
    )
    parser.add_argument("--all", action="store_true", help="tout, même à jour · everything, even what is up to date")
    parser.add_argument("--type", action="append", default=[], help="ce type seulement, répétable · this type only")
    parser.add_argument("--data-dir", type=Path, help="dossier de la MongoDB embarquée · of the embedded MongoDB")
    return parser


async def _rebuild(settings: Settings, uri: str, options: argparse.Namespace) -> None:
    started, walked = time.monotonic(), 0
    async with _building(settings, uri) as (build, watch, store):
        wanted = await store.collections.existing_types() if options.all else watch.missing_types
        types = [name for name in wanted if not options.type or name in options.type]
        for resource_type in types:
            walked += await _build_with_bar(build, resource_type, whole=options.all)
            if options.all:
                await store.postings_erasure.begin_anew(resource_type)
        left = watch.missing_types
    seconds = time.monotonic() - started
    rate = round(walked / seconds)
    print(f"{len(types)} types, {walked} ressources · resources, {seconds:.1f} s, {rate}/s")
    if left:
        print(f"Reste · left: {', '.join(left)}")


@asynccontextmanager
async def _building(settings: Settings, uri: str) -> AsyncIterator[tuple[IndexBuild, ParameterWatch, ResourceStore]]:
    """Gives what builds, what knows the parameters, and the store."""
    registry = search_parameters_of(settings, definitions_of(settings))
    timeout_s = settings.mongodb_timeout_ms / 1000
    store = open_store(uri, database=settings.mongodb_database, indexes=MONGODB_INDEXES, selection_timeout_s=timeout_s)
    async with store, ParameterWatch(store, registry, delay_s=settings.parameter_delay_ms / 1000) as watch:
        yield IndexBuild(store, Indexer(registry), watch, rest=0), watch, store


async def _build_with_bar(build: IndexBuild, resource_type: str, *, whole: bool) -> int:
    """Returns how many resources were walked."""
    walked = 0
    bar: tqdm[Any] = tqdm(desc=resource_type, unit=" ressources", unit_scale=True, disable=None, leave=False)
    with bar:

        async def progress(_type: str, done: int, total: int, _reached: str) -> None:
            nonlocal walked
            bar.total = total
            bar.update(done - walked)
            walked = done

        await build.build(resource_type, progress, whole=whole)
    return walked


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
