"""What is checked before anything is written: R4, the profiles, and that the targets a profile asks for are there."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from fhir_server.errors import FhirError, InvalidContent, InvalidResource
from fhir_server.index import check_definition
from fhir_server.interactions.bundle_references import Slot, place_of
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.outcome import Issue
from fhir_server.store import Key
from fhir_server.validation import places_of, relative_target

Wanted = tuple[int, str | Slot | None, Key]
"""Number of the request, where the reference stands (None: to be looked for), and what it refers to."""

UNPARSABLE = {"structure", "value"}
"""Issue codes of content that is not FHIR at all (400); other findings mean FHIR that breaks a rule (422)."""
_entry = re.compile(r"Bundle\.entry\[(\d+)\]")


async def check(
    repository: Repository, requests: Sequence[WriteRequest], written: frozenset[Key], skipped: Collection[int] = ()
) -> list[tuple[Issue, ...]]:
    """Returns the warnings of each request's resource; `written` are the resources this very write brings.

    `skipped` are the numbers of requests that write nothing. Raises InvalidResource, or InvalidContent for content that
    is not FHIR, with the findings of all requests at once.
    """
    return _warnings(await find_issues(repository, requests, written, skipped))


async def find_issues(
    repository: Repository, requests: Sequence[WriteRequest], written: frozenset[Key], skipped: Collection[int] = ()
) -> list[list[Issue]]:
    """Returns all findings about each request's resource, of which `check` raises the errors."""
    found: list[list[Issue]] = [[] for _ in requests]
    wanted: list[Wanted] = []
    for number, request in enumerate(requests):
        if request.resource is not None and number not in skipped:
            found[number] = repository.validator.validate(request.resource)
            found[number] += _unusable(repository, request, found[number])
            for reference in repository.validator.existing_targets(request.resource):
                wanted.append((number, None, _key(reference)))
    await _find_missing(repository, wanted, written, found, requests)
    return _judged(repository, found)


class BundleContent(NamedTuple):
    """What is known of a transaction's entries: the findings of each, and the places of their references."""

    findings: Sequence[Sequence[Issue]]
    slots: Sequence[Slot]


async def check_entries(
    repository: Repository,
    requests: Sequence[WriteRequest],
    written: frozenset[Key],
    skipped: Collection[int],
    bundle: BundleContent,
) -> list[tuple[Issue, ...]]:
    """Returns the warnings of each entry of a transaction that `check_bundle` has found valid.

    What is left to check are the targets of its references, now that they are literal.
    """
    found = [list(issues) for issues in bundle.findings]
    wanted: list[Wanted] = []
    for number, request in enumerate(requests):
        if request.patch is not None and request.resource is not None:
            # What was validated in the bundle is the patch, not what it leaves.
            found[number] += [_in_entry(issue, request) for issue in repository.validator.validate(request.resource)]
            targets = repository.validator.existing_targets(request.resource)
            wanted += [(number, request.place, _key(reference)) for reference in targets]
    for number, request in enumerate(requests):
        if number not in skipped:
            found[number] += _unusable(repository, request, found[number])
    asking = {
        id(request): number
        for number, request in enumerate(requests)
        if request.resource is not None
        and number not in skipped
        and repository.validator.asks_for_targets(request.resource)
    }
    for slot in bundle.slots:
        if slot.key == "reference" and (asker := asking.get(id(slot.request))) is not None:
            target = relative_target(slot.holder["reference"])
            if target is not None:
                wanted.append((asker, slot, _key(target)))
    await _find_missing(repository, wanted, written, found, requests)
    return _warnings(_judged(repository, found))


def _unusable(repository: Repository, request: WriteRequest, found: Sequence[Issue]) -> list[Issue]:
    """Returns why a SearchParameter cannot be searched by, once it is known to be valid R4."""
    resource = request.resource
    if resource is None or resource["resourceType"] != "SearchParameter" or any(issue.is_error for issue in found):
        return []
    issues = check_definition(resource, repository.search_parameters)
    if not request.place:
        return issues
    inside = f"{request.place}.resource"
    return [replace(issue, expression=issue.expression.replace("SearchParameter", inside, 1)) for issue in issues]


def _in_entry(issue: Issue, request: WriteRequest) -> Issue:
    """Returns a finding about what the patch of an entry leaves, with that entry as its place."""
    english = f"After the patch, `{issue.expression}`: {issue.english}"
    french = f"Après le patch, `{issue.expression}` : {issue.french}"
    return replace(issue, english=english, french=french, expression=request.place)


async def _find_missing(
    repository: Repository,
    wanted: Sequence[Wanted],
    written: frozenset[Key],
    found: list[list[Issue]],
    requests: Sequence[WriteRequest],
) -> None:
    """Adds a finding for each wanted target that is neither written now nor here already."""
    elsewhere = {target for _, _, target in wanted if target not in written}
    if not elsewhere:
        return
    present = await repository.store.existing(elsewhere)
    if len(present) == len(elsewhere):
        return
    for number, at, target in wanted:
        if target in elsewhere and target not in present:
            resource, reference = requests[number].resource or {}, "/".join(target)
            asking = repository.validator.profiles_asking(resource)
            places = places_of(resource, reference) if at is None else [_expression(at)]
            found[number] += [_missing(place, reference, asking) for place in places]


def _expression(place: str | Slot) -> str:
    return place if isinstance(place, str) else place_of(place).removesuffix(".reference")


def _judged(repository: Repository, found: Sequence[list[Issue]]) -> list[list[Issue]]:
    """Returns the findings of each request as the server's policy has them count."""
    return [repository.validator.policy.applied(issues) if issues else issues for issues in found]


def _warnings(found: Sequence[Sequence[Issue]]) -> list[tuple[Issue, ...]]:
    if any(found) and any(issue.is_error for issues in found for issue in issues):
        raise refusal([issue for issues in found for issue in issues])
    return [tuple(issues) for issues in found]


def _key(reference: str) -> Key:
    resource_type, _, id_ = reference.partition("/")
    return resource_type, id_


def check_bundle(repository: Repository, bundle: dict[str, Any], entries: int) -> list[list[Issue]]:
    """Returns the findings about a bundle and all in it, by entry; those about the bundle itself are with the first.

    Raises InvalidContent or InvalidResource, with all findings, where one of them refuses it.
    """
    issues = repository.validator.policy.applied(repository.validator.validate(bundle))
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


def _missing(expression: str, reference: str, asking: tuple[str, ...]) -> Issue:
    return Issue(
        "error",
        "not-found",
        "reference-target-missing",
        f"`{reference}` is not on this server, and a profile of this resource asks for it.",
        f"`{reference}` n'existe pas sur ce serveur, et un profil de cette ressource l'exige.",
        expression,
        profiles=asking,
    )
