"""`fhir-server terminology`: loads code systems of the operator, lists them, removes them.

A loaded system is one read-only file in FHIR_TERMINOLOGY_DIR. A running server finds it by itself, but keeps the value
sets that it has listed already: it is started anew to check by a new version.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
import tomllib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fhir_server.app import content_folders
from fhir_server.settings import Settings, terminology_directory
from fhir_server.terminology.compiled import CompiledLibrary, Header
from fhir_server.terminology.loading import KINDS, SECTIONS, LoadRequest, SourceFault, Sources, load

EXIT_DONE, EXIT_ABSENT, EXIT_UNREADABLE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Returns 0; 1 where what is to be removed is not there; 2 where a source or the folder cannot be used."""
    options = build_parser().parse_args(arguments)
    directory = terminology_directory(Settings.from_environment(), options.data_dir)
    if directory is None:
        return _fail(
            "Donnez FHIR_TERMINOLOGY_DIR ou --data-dir · give FHIR_TERMINOLOGY_DIR or --data-dir.", EXIT_UNREADABLE
        )
    try:
        if options.action == "load":
            return _load(options, directory)
        if options.action == "list":
            return _list(CompiledLibrary(directory))
        return _remove(CompiledLibrary(directory), options.canonical)
    except SourceFault as fault:
        return _fail("\n".join((fault.render("fr"), fault.render("en"))), EXIT_UNREADABLE)
    except OSError as error:
        return _fail(f"{error.filename or directory} : {error.strerror}.", EXIT_UNREADABLE)
    except sqlite3.Error as error:
        return _fail(f"{directory} : {error}.", EXIT_UNREADABLE)
    except KeyboardInterrupt:
        return _fail("Interrompu ; rien n’a été chargé · interrupted; nothing was loaded.", EXIT_UNREADABLE)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's options."""
    parser = argparse.ArgumentParser(
        prog="fhir-server terminology",
        description="Terminologies de l’opérateur : charger, lister, retirer · the operator's code systems",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    loading = actions.add_parser("load", help="charge une terminologie · loads a code system")
    loading.add_argument("kind", choices=sorted(KINDS), help="forme de la source · form of the source")
    loading.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="fichiers, dossiers, zip, tgz ; sans eux, le dossier que nomme external.toml · files, folders, archives;"
        " without them, the folder that external.toml names",
    )
    loading.add_argument("--system", type=_url, help="URL du système, si la source ne la dit pas · URL of the system")
    loading.add_argument("--version", default="", help="version, si la source ne la dit pas · version of the system")
    loading.add_argument("--language", default="fr", help="langue des libellés · language of displays (%(default)s)")
    listing = actions.add_parser("list", help="montre ce qui est chargé · shows what is loaded")
    removing = actions.add_parser("remove", help="retire une terminologie · removes a code system")
    removing.add_argument("canonical", metavar="URL[|VERSION]")
    for each in (loading, listing, removing):
        each.add_argument(
            "--data-dir",
            type=Path,
            help="celui de `serve`, sans FHIR_TERMINOLOGY_DIR · that of `serve`, where it is unset",
        )
    return parser


def _url(text: str) -> str:
    if ":" not in text or any(sign.isspace() or sign == "|" for sign in text):
        raise argparse.ArgumentTypeError(f"une URL absolue, sans version · an absolute URL without version: {text!r}")
    return text


def _load(options: argparse.Namespace, directory: Path) -> int:
    started = time.monotonic()
    external = _external(options.kind)
    paths = options.paths or ([directory / external["directory"]] if external else [])
    if not paths:
        return _fail(f"{options.kind} : donnez PATH · give PATH.", EXIT_UNREADABLE)
    bar: tqdm[Any] = tqdm(desc=options.kind, unit="o", unit_scale=True, disable=None, leave=False)
    with bar, closing(Sources(paths, lambda count: _advance(bar, count))) as sources:
        bar.total = sum(file.size_bytes for file in sources.files)
        request = LoadRequest(
            sources,
            directory,
            system=options.system or external.get("url", ""),
            version=options.version,
            language=options.language,
            licence=external.get("licence", ""),
            on_loaded=_say_loaded,
        )
        load(options.kind, request)
    print(f"{time.monotonic() - started:.1f} s")
    return EXIT_DONE


def _external(kind: str) -> dict[str, str]:
    """Returns what `terminology/external.toml` says of the system of a kind; empty where it says nothing."""
    path = content_folders(Settings.from_environment())[1] / "external.toml"
    if kind not in SECTIONS or not path.is_file():
        return {}
    section: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8")).get(SECTIONS[kind], {})
    return section


def _advance(bar: tqdm[Any], count: int) -> None:
    bar.update(count)


def _say_loaded(header: Header) -> None:
    tqdm.write(_line(header), file=sys.stdout)


def _line(header: Header) -> str:
    counts = header.counts
    return (
        f"{header.canonical} ({header.kind}, {header.loaded_at}) : {counts['concept']} concepts, "
        f"{counts['inactive']} inactifs · inactive, {counts['designation']} libellés · designations, "
        f"{counts['parent']} liens · links"
    )


def _list(library: CompiledLibrary) -> int:
    if not library.headers():
        print("Rien n’est chargé · nothing is loaded.")
    for header in library.headers().values():
        print(_line(header))
        if header.copyright:
            print(f"    {header.copyright}")
        for source in header.sources:
            print(f"    {source.name}  {source.size_bytes}  sha256:{source.sha256}")
    for sentence in library.unreadable():
        print(f"Illisible ; à recharger · unreadable, load it again: {sentence}")
    return EXIT_DONE


def _remove(library: CompiledLibrary, canonical: str) -> int:
    url, _, version = canonical.partition("|")
    paths = library.paths_of(url, version or None)
    for path in paths:
        header = library.headers()[path]
        path.unlink()
        print(f"Retiré · removed: {header.canonical}")
    if not paths:
        known = ", ".join(header.canonical for header in library.headers().values()) or "—"
        return _fail(f"{canonical} n’est pas chargé · is not loaded. Il y a · there are: {known}", EXIT_ABSENT)
    return EXIT_DONE


def _fail(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code
