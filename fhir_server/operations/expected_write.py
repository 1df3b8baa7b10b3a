"""What a create, an update or a delete would find, were it sent now. Nothing is written.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.interactions.addresses import check_resource
from fhir_server.interactions.checks import find_issues
from fhir_server.interactions.incomplete import refuse_subsetted
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.outcome import Issue


def issues_of_type(resource: dict[str, Any], resource_type: str | None) -> list[Issue]:
    """Returns a finding where a resource is of another type than its URL says; none where the URL has no type."""
    return [] if resource_type is None else _refusals(lambda: check_resource(resource, resource_type, None))


async def issues_of_create(repository: Repository, resource_type: str | None, resource: dict[str, Any]) -> list[Issue]:
    """Returns the findings of a create of `resource`."""
    found = issues_of_type(resource, resource_type)
    return found + await _issues(repository, WriteRequest("POST", _type(resource), resource=resource))


async def issues_of_update(
    repository: Repository, resource_type: str, id_: str, resource: dict[str, Any]
) -> list[Issue]:
    """Returns the findings of an update of `resource_type/id_` with `resource`.

    Among them is a warning where the resource names a version that is no longer the current one, and a note where
    there is nothing to update yet.
    """
    found = _refusals(
        lambda: check_resource(resource, resource_type, id_),
        lambda: refuse_subsetted(resource),
    )
    found += await _issues(repository, WriteRequest("PUT", resource_type, id_, resource))
    return found + await _beside_current(repository, resource_type, id_, resource)


async def issues_of_delete(repository: Repository, resource_type: str, id_: str) -> list[Issue]:
    """Returns what a delete would meet: an empty list where it is allowed, a note where nothing is there to delete."""
    current = await repository.store.read(resource_type, id_)
    if current is not None and not current.is_deletion:
        return []
    return [
        Issue(
            "information",
            "informational",
            "delete-nothing",
            f"There is no `{resource_type}/{id_}`: a delete would succeed and change nothing.",
            f"`{resource_type}/{id_}` n'existe pas : une suppression réussirait sans rien changer.",
        )
    ]


async def _issues(repository: Repository, request: WriteRequest) -> list[Issue]:
    resource = request.resource or {}
    if not _type(resource):
        return repository.validator.validate(resource)
    written = frozenset({(request.resource_type, request.id_)}) if request.id_ else frozenset()
    [found] = await find_issues(repository, [request], written)
    return found


async def _beside_current(
    repository: Repository, resource_type: str, id_: str, resource: dict[str, Any]
) -> list[Issue]:
    """Returns what the version that is here means for an update: it names an older one, or there is none to update."""
    current = await repository.store.read(resource_type, id_)
    if current is None or current.is_deletion:
        return [_creates(f"{resource_type}/{id_}")]
    meta = resource.get("meta")
    sent = meta.get("versionId") if isinstance(meta, dict) else None
    if sent in (None, str(current.version_id)):
        return []
    return [_stale(resource_type, str(sent), current.version_id)]


def _creates(name: str) -> Issue:
    return Issue(
        "information",
        "informational",
        "update-creates",
        f"There is no `{name}`: the update would create it.",
        f"`{name}` n'existe pas : la mise à jour la créerait.",
    )


def _stale(resource_type: str, sent: str, current: int) -> Issue:
    return Issue(
        "warning",
        "conflict",
        "version-stale",
        f"The resource says it is version `{sent}`; the current one is `{current}`. An update with"
        f' `If-Match: W/"{sent}"` would be refused (412).',
        f"La ressource se dit en version `{sent}` ; la version courante est `{current}`. Une mise à jour avec"
        f' `If-Match: W/"{sent}"` serait refusée (412).',
        f"{resource_type}.meta.versionId",
    )


def _type(resource: dict[str, Any]) -> str:
    named = resource.get("resourceType")
    return named if isinstance(named, str) else ""


def _refusals(*checks: Callable[[], None]) -> list[Issue]:
    found: list[Issue] = []
    for check in checks:
        try:
            check()
        except FhirError as error:
            place = "".join(error.expression[:1])
            found.append(Issue("error", error.issue_code, error.rule, error.english, error.french, place))
    return found
