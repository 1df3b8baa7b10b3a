"""The report of `fhir-server validate`: for people in French or English, for programs as OperationOutcomes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_server.outcome import Issue, build_outcome

SEVERITIES = ("error", "warning", "information")
"""From the gravest down; `fatal` counts as an error."""
_NAMES = {
    "fr": {"error": "erreur", "warning": "avertissement", "information": "information"},
    "en": {name: name for name in SEVERITIES},
}
_entry = re.compile(r"Bundle\.entry\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings about one resource of a file; `resource` is None where it could not be read."""

    name: str
    issues: list[Issue]
    resource: dict[str, Any] | None

    @property
    def has_errors(self) -> bool:
        """True for a resource that is not valid, or could not be read."""
        return any(issue.is_error for issue in self.issues)


def grade(issue: Issue) -> str:
    """Returns the severity of a finding as one of SEVERITIES."""
    return "error" if issue.is_error else issue.severity


def shown(issues: Sequence[Issue], least: str) -> list[Issue]:
    """Returns the findings that are at least as grave as `least`."""
    return [issue for issue in issues if SEVERITIES.index(grade(issue)) <= SEVERITIES.index(least)]


def report(result: Checked, language: str) -> str:
    """Returns the findings about one resource as lines: severity, place, rule, sentence, profiles that ask.

    Those about an entry of a Bundle stand under the name of its resource.
    """
    french = language != "en"
    if result.resource is None:
        verdict = "illisible" if french else "unreadable"
    elif result.has_errors:
        verdict = "invalide" if french else "invalid"
    else:
        verdict = "valide" if french else "valid"
    lines = [f"{result.name}: {verdict}"]
    last = None
    for issue in result.issues:
        match = _entry.match(issue.expression)
        if match and match[1] != last:
            last = match[1]
            lines.append(f"  entry[{last}] {_entry_name(result.resource or {}, int(last))}")
        place = f" {issue.expression}" if issue.expression else ""
        lines.append(f"  {_NAMES[language][grade(issue)]}{place} [{issue.rule}]")
        lines.append(f"    {issue.french if french else issue.english}")
        lines += [f"    {'profil' if french else 'profile'} {profile}" for profile in issue.profiles]
    return "\n".join(lines)


def _entry_name(bundle: dict[str, Any], number: int) -> str:
    """Returns type and id of an entry's resource, or its `fullUrl`."""
    try:
        entry = bundle["entry"][number]
        resource = entry["resource"]
        return f"{resource['resourceType']}/{resource.get('id') or entry.get('fullUrl', '')}".rstrip("/")
    except (KeyError, IndexError, TypeError, AttributeError):
        return ""


@dataclass(slots=True)
class Summary:
    """Counts what was found; keeps one example for each rule, and no resource."""

    checked: int = 0
    valid: int = 0
    unreadable: int = 0
    skipped: int = 0
    grades: Counter[str] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, result: Checked) -> None:
        """Takes in the findings about one resource."""
        self.checked += 1
        self.valid += not result.has_errors
        self.unreadable += result.resource is None
        for issue in result.issues:
            key = grade(issue), issue.rule
            self.grades[key[0]] += 1
            self.rules[key] += 1
            self.examples.setdefault(key, f"{result.name} {issue.expression}".rstrip())

    def text(self, language: str, least: str) -> str:
        """Returns the last lines of a report: rules that were broken, the gravest and most frequent first; totals."""
        lines = []
        wanted = SEVERITIES[: SEVERITIES.index(least) + 1]
        told = [(key, count) for key, count in self.rules.items() if key[0] in wanted]
        if self.checked > 1 and told:
            lines.append("Règles :" if language != "en" else "Rules:")
            for (severity, rule), count in sorted(told, key=lambda row: (SEVERITIES.index(row[0][0]), -row[1], row[0])):
                first = self.examples[severity, rule]
                lines.append(f"  {count:>6}  {_NAMES[language][severity]:<13}  {rule}  ({first})")
        errors, warnings = self.grades["error"], self.grades["warning"]
        if language == "en":
            lines.append(f"{self.valid} of {self.checked} valid; {errors} error(s), {warnings} warning(s).")
            lines += [f"{self.skipped} file(s) without a resource left aside."] if self.skipped else []
        else:
            lines.append(f"{self.valid} sur {self.checked} valides ; {errors} erreur(s), {warnings} avertissement(s).")
            lines += [f"{self.skipped} fichier(s) sans ressource laissé(s) de côté."] if self.skipped else []
        return "\n".join(lines)


def build_outcomes(results: Sequence[Checked], language: str) -> dict[str, Any]:
    """Returns the OperationOutcome of one resource; of several, a Bundle that names the file of each."""
    outcomes = [build_outcome(result.issues, language) for result in results]
    if len(outcomes) == 1:
        return outcomes[0]
    entries = [
        {"link": [{"relation": "related", "url": result.name}], "resource": outcome}
        for result, outcome in zip(results, outcomes, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "collection"} | ({"entry": entries} if entries else {})
