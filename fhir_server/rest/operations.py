"""`$operations` over HTTP and as entries of bundles. https://hl7.org/fhir/R4/operations.html#executing"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_server.errors import InteractionUnknown, MalformedContent
from fhir_server.interactions.addresses import check_id, check_type
from fhir_server.interactions.checks import refusal
from fhir_server.operations import Invocation, Operation, Result, find_operation
from fhir_server.operations.inputs import from_parameters, from_query, require
from fhir_server.operations.operation import Level
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.negotiation import Preferences

Query = Sequence[tuple[str, str]]
Target = tuple[Level, str | None, str | None, str | None]
"""Level, type, id and version."""


def is_operation(segments: Sequence[str]) -> bool:
    """True for a URL whose last part begins with `$`."""
    return bool(segments) and segments[-1].startswith("$")


def addressed(segments: Sequence[str], method: str) -> tuple[Operation, Target]:
    """Returns the operation at a URL and what it is called on.

    Raises ResourceNotFound where there is none, and InteractionUnknown for a GET of one that changes something, or for
    a method other than GET, HEAD and POST.
    """
    target = _target(segments[:-1])
    operation = find_operation(segments[-1][1:], target[0], target[1])
    if method not in allowed_methods(operation):
        how, comment = ("POST", "POST") if operation.affects_state else ("GET or POST", "GET ou POST")
        raise InteractionUnknown(
            f"`${operation.code}` is called by {how}, not by {method}.",
            f"`${operation.code}` s'appelle par {comment}, pas par {method}.",
            rule="operation-method",
        )
    return operation, target


def allowed_methods(operation: Operation) -> tuple[str, ...]:
    """Returns the methods that an operation is called by."""
    return ("POST",) if operation.affects_state else ("GET", "HEAD", "POST")


async def operate(  # noqa: PLR0913 -- what a request has
    endpoint: Endpoint,
    segments: Sequence[str],
    method: str,
    query: Query,
    body: dict[str, Any] | None,
    base_url: str,
    preferences: Preferences,
) -> Result:
    """Returns what the operation at this URL answers; `body` is the Parameters that were posted, if any."""
    operation, (level, resource_type, id_, version_id) = addressed(segments, method)
    inputs, search = from_query(operation, query)
    sent = list(query)
    if body is not None:
        _check_parameters(endpoint, body)
        posted, searched, texts = from_parameters(operation, body)
        for name, values in posted.items():
            inputs.setdefault(name, []).extend(values)
        search += searched
        sent += texts
    require(operation, inputs)
    invocation = Invocation(
        endpoint.repository, base_url, preferences.language, level, resource_type, id_, version_id, inputs, search, sent
    )
    return await operation.run(invocation)


def _target(segments: Sequence[str]) -> Target:
    match segments:
        case []:
            return "system", None, None, None
        case [resource_type]:
            return "type", check_type(resource_type), None, None
        case [resource_type, id_]:
            return "instance", check_type(resource_type), check_id(id_), None
        case [resource_type, id_, "_history", version_id]:
            return "version", check_type(resource_type), check_id(id_), version_id
    return "system", "/".join(segments), None, None


def _check_parameters(endpoint: Endpoint, body: dict[str, Any]) -> None:
    if body.get("resourceType") != "Parameters":
        raise MalformedContent(
            f"An operation is sent a `Parameters` resource, not a `{body.get('resourceType')}`.",
            f"Une opération reçoit une ressource `Parameters`, pas un `{body.get('resourceType')}`.",
            rule="parameters-expected",
        )
    issues = endpoint.repository.validator.validate(body)
    if any(issue.is_error for issue in issues):
        raise refusal(issues)
