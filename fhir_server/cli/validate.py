"""`fhir-server validate`: checks FHIR files against R4 and the profiles, without a server or a database.

https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from fhir_server.app import build_terminology, definitions_of, validation_options
from fhir_server.cli.validate_profiles import Profiles, types_in, with_claims
from fhir_server.cli.validate_report import SEVERITIES, Checked, Summary, build_outcomes, report, shown
from fhir_server.cli.validate_sources import Sent, Source, find_sources, read_resources
from fhir_server.errors import FhirError
from fhir_server.operations.known_profiles import check_known
from fhir_server.settings import Settings, with_folders
from fhir_server.spec.json_format import encode_pretty
from fhir_server.validation import Validator

EXIT_VALID, EXIT_INVALID, EXIT_UNREADABLE = 0, 1, 2
BAR_BYTES = 1_000_000
"""From this much to read on, a progress bar tells how far it is."""

DESCRIPTION = (
    "Vérifie des fichiers FHIR (JSON, NDJSON, XML) selon R4, les profils qu'ils déclarent et ceux de --profile. · "
    "Checks FHIR files (JSON, NDJSON, XML) against R4, the profiles that they claim and those of --profile."
)
EPILOG = (
    "Code de sortie 0 : tout est valide ; 1 : des erreurs ; 2 : un fichier illisible ou un profil inconnu. · "
    "Exit code 0: all valid; 1: errors; 2: a file cannot be read, or a profile is not known."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks what `arguments` name and prints a report; returns the exit code."""
    options = _parse(arguments)
    try:
        settings = with_folders(Settings.from_environment(), options.data_dir)
        definitions = definitions_of(settings)
        validator = Validator(
            definitions, build_terminology(settings, definitions), validation_options(settings, definitions)
        )
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNREADABLE
    profiles: dict[str, list[str]] = {}
    try:
        for canonical in options.profile:
            check_known(validator, canonical)
            profiles.setdefault((definitions.find(canonical) or {})["type"], []).append(canonical)
    except FhirError as error:
        sys.stderr.write(f"{error.english if options.language == 'en' else error.french}\n")
        return EXIT_UNREADABLE
    return _run(find_sources(options.files), validator, profiles, options)


def _run(sources: Sequence[Source], validator: Validator, profiles: Profiles, options: argparse.Namespace) -> int:
    summary, kept, met = Summary(), [], set()
    for sent, source in _with_bar(sources):
        if sent.resource is None and not source.is_named and sent.issues[0].rule == "resource-type":
            summary.skipped += 1
            continue
        met |= types_in(sent.resource or {})
        result = check(sent, validator, profiles)
        summary.add(result)
        told = replace(result, issues=shown(result.issues, options.severity))
        if options.json:
            kept.append(told)
        elif told.issues or not options.quiet:
            tqdm.write(report(told, options.language))
    unmet = [resource_type for resource_type in profiles if resource_type not in met]
    if options.json:
        print(encode_pretty(build_outcomes(kept, options.language)).decode())
    else:
        print(summary.text(options.language, options.severity))
    for resource_type in unmet:
        sys.stderr.write(f"{_unmet(profiles[resource_type], resource_type, options.language)}\n")
    if summary.unreadable or not summary.checked:
        return EXIT_UNREADABLE
    return EXIT_INVALID if unmet or summary.valid < summary.checked else EXIT_VALID


def _with_bar(sources: Iterable[Source]) -> Iterator[tuple[Sent, Source]]:
    """Yields each resource with its file; on a terminal a bar shows the bytes that are done, where there are many."""
    listed = list(sources)
    total = sum(source.size for source in listed)
    quiet = True if total < BAR_BYTES else None
    with tqdm(total=total, unit="o", unit_scale=True, disable=quiet, leave=False) as bar:
        for source in listed:
            for sent in read_resources(source):
                yield sent, source
                bar.update(sent.size)


def check(sent: Sent, validator: Validator, profiles: Profiles) -> Checked:
    """Returns the findings about a resource: R4's, and those of profiles for its type and its entries' types."""
    if sent.resource is None:
        return Checked(sent.name, list(sent.issues), None)
    resource_type = sent.resource["resourceType"]
    claiming = with_claims(sent.resource, profiles) if resource_type == "Bundle" and profiles else sent.resource
    issues = validator.validate(claiming, profiles=profiles.get(resource_type, ()))
    return Checked(sent.name, issues, sent.resource)


def _unmet(profiles: Sequence[str], resource_type: str, language: str) -> str:
    listed = ", ".join(profiles)
    if language == "en":
        return f"No {resource_type} was there to check against {listed}."
    return f"Aucune ressource {resource_type} à vérifier selon {listed}."


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fhir-server validate", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="fichier, dossier, motif, - · file, folder, pattern, -"
    )
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="URL",
        help="profil à vérifier en plus sur les ressources de son type · profile to check as well on its type",
    )
    parser.add_argument("--json", action="store_true", help="écrit des OperationOutcome · writes OperationOutcomes")
    parser.add_argument(
        "--language", choices=("fr", "en"), default="fr", help="langue du rapport · language of the report"
    )
    parser.add_argument(
        "--severity",
        choices=SEVERITIES,
        default=SEVERITIES[-1],
        help="la moindre gravité à montrer · the least severity to show",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="celui de `serve`, où sont paquets et terminologies · that of `serve`, with packages and code systems",
    )
    parser.add_argument("--quiet", action="store_true", help="tait ce qui est en ordre · leaves out what is in order")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
