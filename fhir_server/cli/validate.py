"""`fhir-server validate`: checks FHIR files against R4 and the profiles, without a server or a database.

https://hl7.org/fhir/R4/validation.html
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_server.app import definitions_of
from fhir_server.errors import FhirError
from fhir_server.outcome import Issue, build_outcome
from fhir_server.settings import Settings
from fhir_server.spec import json_format
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator

EXIT_VALID, EXIT_INVALID, EXIT_UNREADABLE = 0, 1, 2

DESCRIPTION = (
    "Vérifie des fichiers FHIR (JSON ou NDJSON) selon R4 et les profils. · "
    "Checks FHIR files (JSON or NDJSON) against R4 and the profiles."
)
EPILOG = (
    "Code de sortie 0 : tout est valide ; 1 : des erreurs ; 2 : un fichier illisible. · "
    "Exit code 0: all valid; 1: errors; 2: a file cannot be read."
)
SEVERITIES = {
    "fr": {"fatal": "erreur", "error": "erreur", "warning": "avertissement", "information": "information"},
    "en": {"fatal": "error", "error": "error", "warning": "warning", "information": "information"},
}


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings about one resource of a file; `name` says which, such as `patients.ndjson:3`."""

    name: str
    issues: list[Issue]
    is_readable: bool = True

    @property
    def has_errors(self) -> bool:
        return any(issue.is_error for issue in self.issues)


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the files named in `arguments` and prints a report; returns the exit code."""
    options = _parse(arguments)
    registry = definitions_of(Settings.from_environment())
    unknown = [canonical for canonical in options.profile if registry.find(canonical) is None]
    if unknown:
        known = ", ".join(profile["url"] for profile in registry.profiles())
        sentence = _text(options.language, "Profil inconnu", "Unknown profile")
        sys.stderr.write(f"{sentence}: {', '.join(unknown)}\n{known}\n")
        return EXIT_UNREADABLE
    validator = Validator(registry, Terminology(registry))
    checked: list[Checked] = []
    for name in options.files:
        for result in check_file(Path(name), validator, options.profile):
            checked.append(result)
            if not options.json:
                print(report(result, options.language))
    if options.json:
        print(json_format.encode_pretty(_outcomes(checked, options.language)).decode())
    else:
        print(summary(checked, options.language))
    if any(not result.is_readable for result in checked):
        return EXIT_UNREADABLE
    return EXIT_INVALID if any(result.has_errors for result in checked) else EXIT_VALID


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fhir-server validate", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("files", nargs="+", metavar="FILE", help="JSON · NDJSON (.ndjson)")
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="URL",
        help="profil à vérifier en plus · profile to check as well",
    )
    parser.add_argument("--json", action="store_true", help="écrit des OperationOutcome · writes OperationOutcomes")
    parser.add_argument(
        "--language", choices=("fr", "en"), default="fr", help="langue du rapport · language of the report"
    )
    return parser.parse_args(arguments)


def check_file(path: Path, validator: Validator, profiles: Sequence[str] = ()) -> Iterator[Checked]:
    """Yields the findings about each resource of a file: one of JSON, one per line of NDJSON."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        unreadable = Issue(
            "fatal", "not-found", "file", f"`{path}` cannot be read: {reason}.", f"`{path}` est illisible : {reason}."
        )
        yield Checked(str(path), [unreadable], is_readable=False)
        return
    if path.suffix != ".ndjson":
        yield _check(str(path), content, validator, profiles)
        return
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield _check(f"{path}:{number}", line, validator, profiles)


def _check(name: str, content: bytes, validator: Validator, profiles: Sequence[str]) -> Checked:
    try:
        resource = json_format.decode(content)
    except FhirError as error:
        issue = Issue("fatal", error.issue_code, error.rule, error.english, error.french, "".join(error.expression[:1]))
        return Checked(name, [issue], is_readable=False)
    return Checked(name, validator.validate(resource, profiles=profiles))


def _text(language: str, french: str, english: str) -> str:
    return english if language == "en" else french


def report(result: Checked, language: str) -> str:
    """Returns the findings about one resource as lines: severity, place, rule, sentence."""
    if not result.issues:
        return f"{result.name}: {_text(language, 'valide', 'valid')}"
    verdict = _text(language, "invalide", "invalid") if result.has_errors else _text(language, "valide", "valid")
    lines = [f"{result.name}: {verdict}"]
    for issue in result.issues:
        place = f" {issue.expression}" if issue.expression else ""
        lines.append(f"  {SEVERITIES[language][issue.severity]}{place} [{issue.rule}]")
        lines.append(f"    {_text(language, issue.french, issue.english)}")
    return "\n".join(lines)


def summary(checked: Sequence[Checked], language: str) -> str:
    """Returns the last line of a report: how many resources, errors and warnings."""
    errors = sum(issue.is_error for result in checked for issue in result.issues)
    warnings = sum(issue.severity == "warning" for result in checked for issue in result.issues)
    valid = sum(not result.has_errors for result in checked)
    return _text(
        language,
        f"{valid} sur {len(checked)} valides ; {errors} erreur(s), {warnings} avertissement(s).",
        f"{valid} of {len(checked)} valid; {errors} error(s), {warnings} warning(s).",
    )


def _outcomes(checked: Sequence[Checked], language: str) -> dict[str, Any]:
    """Returns the OperationOutcome of one resource; of several, a Bundle that names the file of each."""
    outcomes = [build_outcome(result.issues, language) for result in checked]
    if len(outcomes) == 1:
        return outcomes[0]
    entries = [
        {"link": [{"relation": "related", "url": result.name}], "resource": outcome}
        for result, outcome in zip(checked, outcomes, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


if __name__ == "__main__":
    sys.exit(main())
