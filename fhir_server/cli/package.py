"""`fhir-server package`: installs, lists and removes FHIR packages, without a network.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fhir_server.conformance import DefinitionRegistry, SnapshotError
from fhir_server.conformance.packages import (
    Missing,
    PackageError,
    PackageStore,
    Source,
    check_not_needed,
    open_source,
    plan_install,
    sources_in,
)
from fhir_server.settings import Settings, packages_directory

DESCRIPTION = "Paquets FHIR : installe, liste, supprime · FHIR packages: installs, lists, removes"
EPILOG = (
    "Les paquets vont dans FHIR_PACKAGES_DIR ; serveur, validate et content-check les voient au prochain démarrage. · "
    "Packages go to FHIR_PACKAGES_DIR; server, validate and content-check see them at their next start."
)


def main(arguments: Sequence[str]) -> int:
    """Runs one of `install`, `list`, `remove`; returns 0, or 1 where a package is refused."""
    options = build_parser().parse_args(arguments)
    folder = packages_directory(Settings.from_environment(), options.data_dir)
    if folder is None:
        return _fail("Donnez FHIR_PACKAGES_DIR ou --data-dir · give FHIR_PACKAGES_DIR or --data-dir.")
    store = PackageStore(folder)
    try:
        return int(options.run(store, options))
    except PackageError as error:
        return _fail(f"{error.french}\n{error.english}")
    except KeyboardInterrupt:
        return _fail("Interrompu ; le paquet en cours n'est pas installé · interrupted; that package is not installed.")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's options."""
    parser = argparse.ArgumentParser(prog="fhir-server package", description=DESCRIPTION, epilog=EPILOG)
    commands = parser.add_subparsers(metavar="install | list | remove", required=True)
    install = commands.add_parser("install", help="installe des paquets · installs packages", epilog=EPILOG)
    install.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="FILE.tgz|DIRECTORY",
        help="archive, dossier d'un paquet ou dossier d'archives · archive, folder of a package or of archives",
    )
    install.add_argument(
        "--allow-missing-dependencies",
        action="store_true",
        help="avertit seulement des dépendances absentes · only warns of dependencies that are not there",
    )
    install.set_defaults(run=_install)
    listing = commands.add_parser("list", help="liste les paquets installés · lists installed packages")
    listing.set_defaults(run=_list)
    remove = commands.add_parser("remove", help="supprime un paquet · removes a package")
    remove.add_argument("name", metavar="NAME[#VERSION]", help="sans version, toutes · without a version, all of them")
    remove.add_argument("--force", action="store_true", help="même s'il est requis · even where others need it")
    remove.set_defaults(run=_remove)
    for each in (install, listing, remove):
        each.add_argument(
            "--data-dir",
            type=Path,
            help="celui de `serve`, sans FHIR_PACKAGES_DIR · that of `serve`, where it is unset",
        )
    return parser


def _install(store: PackageStore, options: argparse.Namespace) -> int:
    given = [open_source(path) for argument in options.sources for path in sources_in(argument)]
    for source in given:
        source.manifest.check_fhir_version()
    plan = plan_install(given, store)
    if plan.missing:
        print("\n".join(_missing_lines(plan.missing, options.allow_missing_dependencies)), file=sys.stderr)
        if not options.allow_missing_dependencies:
            return 1
    for source in plan.sources:
        print(_install_one(store, source))
    for line in _unusable_profiles(store, {source.manifest.key for source in plan.sources}):
        print(line, file=sys.stderr)
    return 0


def _install_one(store: PackageStore, source: Source) -> str:
    key = source.manifest.key
    with tqdm(desc=key, unit=" fichiers", disable=None, leave=False) as bar:
        is_new = store.install(source, lambda _: _step(bar))
    if not is_new:
        return f"{key} : déjà installé · already installed"
    package = store.find(source.manifest.name, source.manifest.version)
    count = len(package.definitions().entries) if package else 0
    return f"{key} : {count} définitions · definitions → {store.folder.resolve()}"


def _unusable_profiles(store: PackageStore, keys: Set[str]) -> Iterator[str]:
    """Yields a line for each profile of these packages that has no snapshot: nothing can be checked against it."""
    registry = DefinitionRegistry(packages=store.installed())
    for manifest, entry in registry.package_entries("StructureDefinition"):
        if manifest.key in keys:
            try:
                registry.tree(f"{entry.url}|{entry.version}" if entry.version else entry.url)
            except SnapshotError as error:
                yield f"  {entry.url} : inutilisable · unusable\n    {error.french}\n    {error.english}"


def _step(bar: tqdm[Any]) -> None:
    bar.update()


def _missing_lines(missing: Iterable[Missing], is_allowed: bool) -> Iterable[str]:
    yield (
        "Dépendances absentes ; ce qui s'y réfère ne sera pas vérifié : · missing; what refers to them is not checked:"
        if is_allowed
        else "Rien n'a été installé : il manque des dépendances. Ajoutez leurs archives à la commande, ou "
        "--allow-missing-dependencies. · Nothing was installed: dependencies are missing. Add their archives to the "
        "command, or --allow-missing-dependencies."
    )
    for one in missing:
        yield f"  {one} (← {one.needed_by})"


def _list(store: PackageStore, _options: argparse.Namespace) -> int:
    packages = store.installed()
    for package in packages:
        unmet = [
            f"{name}#{wanted}"
            for name, wanted in package.manifest.unmet_names().items()
            if store.find(name, wanted) is None
        ]
        count = len(package.definitions().entries)
        print(f"{package.manifest.key}  {count} définitions · definitions  {package.manifest.title}".rstrip())
        if unmet:
            print(f"  absents · missing: {', '.join(unmet)}")
    for name in store.broken():
        print(f"{name}  abîmé, ignoré : réinstallez-le · broken, ignored: install it again")
    if not packages:
        print(f"Aucun paquet · no package: {store.folder.resolve()}")
    return 0


def _remove(store: PackageStore, options: argparse.Namespace) -> int:
    name, _, version = options.name.partition("#")
    if not options.force:
        check_not_needed(store, name, version)
    for manifest in store.remove(name, version):
        print(f"{manifest.key} : supprimé · removed")
    return 0


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
