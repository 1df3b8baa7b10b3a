"""The console script `fhir-server`: one module per command."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

from fhir_server import __version__

COMMANDS = {
    "serve": "démarre le serveur · starts the server",
    "demo": "montre le serveur en une commande · shows the server in one command",
    "demo-data": "charge un réseau synthétique · loads a synthetic network",
    "index-rebuild": "complète l'index de recherche · builds what the search index lacks",
    "validate": "vérifie des fichiers FHIR · checks FHIR files",
    "package": "installe des paquets FHIR · installs FHIR packages",
    "terminology": "charge les terminologies de l'opérateur · loads the operator's code systems",
    "content-check": "vérifie profiles/ et terminology/ · checks profiles/ and terminology/",
    "content-build": "construit le paquet FHIR · builds the FHIR package",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command named first in `arguments`; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="fhir-server",
        description="Serveur FHIR R4 des microstructures médicales addictions (MSMA).",
        epilog="Aide d'une commande · help of a command: fhir-server COMMANDE --help",
    )
    parser.add_argument("--version", action="version", version=f"fhir-server {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMANDE", required=True)
    for name, sentence in COMMANDS.items():
        commands.add_parser(name, help=sentence, add_help=False)
    chosen, rest = parser.parse_known_args(words[:1])[0].command, words[1:]
    module = _load(f"fhir_server.cli.{chosen.replace('-', '_')}")
    run: Callable[[Sequence[str]], int] = module.main
    return run(rest)


def _load(name: str) -> ModuleType:
    """Returns a module. What it and all below it hold stays to the end, so that the garbage collector need not look for
    garbage among it, now or later: that took a quarter of the time.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
