"""What is checked before anything is written: R4, the profiles, and that the targets a profile asks for are there."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fhir_server.errors import FhirError, InvalidContent, InvalidResource
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.outcome import Issue

UNPARSABLE = {"structure", "value"}
"""Issue codes of content that is not FHIR at all (400); other findings mean FHIR that breaks a rule (422)."""
_entry = re.compile(r"Bundle\.entry\[(\d+)\]")


async def check(
    repository: Repository,
    requests: Sequence[WriteRequest],
    written: frozenset[tuple[str, str]],
    findings: Sequence[Sequence[Issue]] | None = None,
) -> list[tuple[Issue, ...]]:
    """Returns the warnings of each request's resource; `written` are the resources this very transaction writes.

    `findings` are those of each resource where the caller has validated them. Raises InvalidResource, or InvalidContent
    for content that is not FHIR, with the findings of all requests at once.
    """
    found: list[list[Issue]] = []
    wanted: list[tuple[int, str, tuple[str, str]]] = []
    for number, request in enumerate(requests):
        if request.resource is None:
            found.append([])
            continue
        found.append(list(findings[number]) if findings else repository.validator.validate(request.resource))
        for expression, reference in repository.validator.existing_targets(request.resource):
            resource_type, _, id_ = reference.partition("/")
            if (resource_type, id_) not in written:
                wanted.append((number, expression, (resource_type, id_)))
    if wanted:
        present = await repository.store.existing({target for _, _, target in wanted})
        for number, expression, target in wanted:
            if target not in present:
                missing = _missing(expression, "/".join(target))
                found[number].append(place(missing, requests[number].place))
    if any(issue.is_error for issues in found for issue in issues):
        raise refusal([issue for issues in found for issue in issues])
    return [tuple(issues) for issues in found]


def check_bundle(repository: Repository, bundle: dict[str, Any], entries: int) -> list[list[Issue]]:
    """Returns the findings about a bundle and all in it, by entry; those about the bundle itself are with the first.

    Raises InvalidContent or InvalidResource, with all findings, where one of them refuses it.
    """
    issues = repository.validator.validate(bundle)
    if any(issue.is_error for issue in issues):
        raise refusal(issues)
    by_entry: list[list[Issue]] = [[] for _ in range(entries)]
    for issue in issues:
        match = _entry.match(issue.expression)
        by_entry[int(match[1]) if match else 0].append(issue)
    return by_entry


def refusal(issues: Sequence[Issue]) -> FhirError:
    """Returns the error for findings among which at least one refuses the resource."""
    unparsable = any(issue.is_error and issue.code in UNPARSABLE for issue in issues)
    error = InvalidContent if unparsable else InvalidResource
    return error("The resource is not valid.", "La ressource n'est pas valide.", issues=issues)


def place(issue: Issue, entry: str) -> Issue:
    """Returns the finding as seen from the bundle: `Patient.name` in `Bundle.entry[3]` is `….resource.name`."""
    if not entry:
        return issue
    _, dot, rest = issue.expression.partition(".")
    return replace(issue, expression=f"{entry}.resource{dot}{rest}")


def _missing(expression: str, reference: str) -> Issue:
    return Issue(
        "error",
        "not-found",
        "reference-target-missing",
        f"`{reference}` is not on this server, and a profile of this resource asks for it.",
        f"`{reference}` n'existe pas sur ce serveur, et un profil de cette ressource l'exige.",
        expression,
    )
