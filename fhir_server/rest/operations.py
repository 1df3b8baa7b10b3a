"""`$operations` over HTTP and as entries of bundles. https://hl7.org/fhir/R4/operations.html#executing"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.errors import FhirError, InteractionUnknown, MalformedContent, NotSupported, ResourceNotFound
from fhir_server.interactions.addresses import check_id, check_type
from fhir_server.interactions.checks import refusal
from fhir_server.operations import Invocation, Operation, Result, find_operation
from fhir_server.operations.inputs import Inputs, from_parameters, from_query, join
from fhir_server.operations.operation import Level
from fhir_server.outcome import Issue
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.negotiation import Preferences

_SOUND = {"resourceType": "Basic", "code": {"text": "-"}}

METHODS = ("GET", "HEAD", "POST")
_DEFINITIONS = ("tx-resource", "valueSet", "codeSystem")
_RESOURCE_SENT = re.compile(r"Parameters\.parameter\[(\d+)\]\.resource\.").match


@dataclass(frozen=True, slots=True)
class Call:
    """What came over HTTP, or in an entry of a bundle; `body` is the Parameters that were posted, if any."""

    segments: Sequence[str]
    method: str
    query: Sequence[tuple[str, str]]
    body: dict[str, Any] | None
    base_url: str
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class _Target:
    level: Level
    resource_type: str | None = None
    id_: str | None = None
    version_id: str | None = None


def is_operation(segments: Sequence[str]) -> bool:
    """True for a URL whose last part begins with `$`."""
    return bool(segments) and segments[-1].startswith("$")


def operation_methods(segments: Sequence[str]) -> tuple[str, ...]:
    """Returns the methods that the operation at a URL is called by; where there is none, those it might have."""
    try:
        return (*_methods(_find(segments)[0]), "OPTIONS")
    except FhirError:
        return (*METHODS, "OPTIONS")


async def operate(endpoint: Endpoint, call: Call) -> Result:
    """Returns what the operation answers.

    Raises ResourceNotFound where there is none at this URL, InteractionUnknown for a GET of one that changes something,
    InvalidContent for inputs that it does not take, and what the operation itself refuses.
    """
    operation, target = _find(call.segments)
    if call.method not in _methods(operation):
        raise InteractionUnknown(
            f"`${operation.code}` is called by POST, not by {call.method}.",
            f"`${operation.code}` s'appelle par POST, pas par {call.method}.",
            rule="operation-method",
        )
    inputs = from_query(operation, call.query)
    if call.body is not None:
        inputs = join(operation, inputs, _read_body(endpoint, operation, target, call.body))
    invocation = Invocation(
        endpoint.repository,
        call.base_url,
        call.preferences.language,
        target.level,
        target.resource_type,
        target.id_,
        target.version_id,
        inputs.complete(operation),
        call.preferences.accept_language,
    )
    return await operation.run(invocation)


def judges_its_body(segments: Sequence[str]) -> bool:
    """True for an operation that tells what is wrong with any body, so also with one that is no resource."""
    try:
        return _find(segments)[0].is_judge
    except FhirError:
        return False


def runs_in_background(segments: Sequence[str]) -> bool:
    """True where there is no operation at a URL that answers at once."""
    try:
        return _find(segments)[0].is_job
    except FhirError:
        return True


async def operate_in_bundle(endpoint: Endpoint, call: Call, *, is_transaction: bool) -> dict[str, Any]:
    """Returns what the operation of an entry answers.

    Raises NotSupported where it does not go into a bundle: into a transaction nothing that changes something, since it
    could not be undone with the rest; into none what goes on as a job.
    """
    operation, _ = _find(call.segments)
    if operation.is_job or (is_transaction and operation.affects_state):
        kind = "a bundle" if operation.is_job else "a transaction"
        forme = "un bundle" if operation.is_job else "une transaction"
        raise NotSupported(
            f"`${operation.code}` cannot be called in {kind}: call it by itself.",
            f"`${operation.code}` ne peut être appelée dans {forme} : appelez-la seule.",
            rule="operation-in-bundle",
        )
    result = await operate(endpoint, call)
    if not isinstance(result, dict):
        raise TypeError(f"${operation.code} is no job, and answered with one")
    return result


def _methods(operation: Operation) -> tuple[str, ...]:
    return ("POST",) if operation.affects_state else METHODS


def _find(segments: Sequence[str]) -> tuple[Operation, _Target]:
    *owner, name = segments
    match owner:
        case []:
            target = _Target("system")
        case [resource_type]:
            target = _Target("type", check_type(resource_type))
        case [resource_type, id_]:
            target = _Target("instance", check_type(resource_type), check_id(id_))
        case [resource_type, id_, "_history", version_id]:
            target = _Target("version", check_type(resource_type), check_id(id_), version_id)
        case _:
            raise ResourceNotFound(
                f"Operations are called on `[base]`, a type, a resource or a version, not on `{'/'.join(owner)}`.",
                "Une opération s'appelle sur `[base]`, un type, une ressource ou une version, pas sur"
                f" `{'/'.join(owner)}`.",
                rule="operation-unknown",
            )
    return find_operation(name[1:], target.level, target.resource_type), target


def _read_body(endpoint: Endpoint, operation: Operation, target: _Target, body: dict[str, Any]) -> Inputs:
    """Returns the inputs in a body: a Parameters, or the resource that it stands for where there is such an input."""
    if operation.subject and not _holds_inputs(operation, target, body):
        return Inputs({operation.subject: [body]})
    if (name := _input_that_is(operation, body)) is not None:
        _refuse_errors(endpoint.repository.validator.validate(body))
        return Inputs({name: [body]})
    _check_parameters(endpoint, _without_subject(operation, body))
    return from_parameters(operation, body)


def _input_that_is(operation: Operation, body: dict[str, Any]) -> str | None:
    """Returns the input that a body of its type stands for by itself, such as `valueSet` of `$expand`."""
    sent = body.get("resourceType")
    names = [each.name for each in operation.parameters if each.element == "resource" and each.type == sent]
    return names[0] if len(names) == 1 else None


def _holds_inputs(operation: Operation, target: _Target, body: dict[str, Any]) -> bool:
    """True for a Parameters, save where a Parameters is itself what the operation is called on, and is not wrapped."""
    if body.get("resourceType") != "Parameters":
        return False
    return target.resource_type != "Parameters" or any(name == operation.subject for name, _ in _subjects(body))


def _subjects(body: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yields (name, entry) of the parameters that carry a resource."""
    entries = body.get("parameter")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield entry.get("name"), entry


def _without_subject(operation: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the Parameters with a sound resource in the place of the one that the operation is to judge."""
    judged = [entry for name, entry in _subjects(body) if operation.subject and name == operation.subject]
    if not judged:
        return body
    kept = [entry | {"resource": _SOUND} if entry in judged else entry for entry in body["parameter"]]
    return body | {"parameter": kept}


def _check_parameters(endpoint: Endpoint, body: dict[str, Any]) -> None:
    if body.get("resourceType") != "Parameters":
        raise MalformedContent(
            f"An operation is sent a `Parameters` resource, not a `{body.get('resourceType')}`.",
            f"Une opération reçoit une ressource `Parameters`, pas un `{body.get('resourceType')}`.",
            rule="parameters-expected",
        )
    _refuse_errors([each for each in endpoint.repository.validator.validate(body) if not _may_be_newer(each, body)])


def _refuse_errors(issues: list[Issue]) -> None:
    if any(issue.is_error for issue in issues):
        raise refusal(issues)


def _may_be_newer(issue: Issue, body: dict[str, Any]) -> bool:
    """True for a code that R4's bindings do not know, or an extension in a place that R4 does not give it, inside a
    definition that came along: clients of terminology services send those of later versions of FHIR, such as R5's
    filter operator `child-of`.
    """
    place = _RESOURCE_SENT(issue.expression) if issue.code in ("code-invalid", "extension") else None
    return place is not None and body["parameter"][int(place[1])].get("name") in _DEFINITIONS
