"""Create, update, patch and delete over HTTP: from method, URL, headers and body to a `WriteRequest` and its answer.

https://hl7.org/fhir/R4/http.html#create, #update, #patch, #delete
"""

from urllib.parse import urlencode

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.interactions.addresses import (
    check_id,
    check_resource,
    check_type,
    parse_if_match,
    parse_if_none_exist,
)
from fhir_server.interactions.apply import apply
from fhir_server.interactions.delete_history import delete_history
from fhir_server.interactions.delete_job import begin_deletion
from fhir_server.interactions.delete_matching import delete_matching
from fhir_server.interactions.incomplete import refuse_subsetted
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.outcome import Issue, build_outcome
from fhir_server.rest.binaries import sent_resource
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.jobs import answer_accepted
from fhir_server.rest.request import Request
from fhir_server.rest.response import Response, answer_resource, answer_write
from fhir_server.rest.retrieval import refuse_query
from fhir_server.spec.shared_parts import share_parts


async def create(endpoint: Endpoint, request: Request, resource_type: str) -> Response:
    """Answers `POST Type`, under the condition of `If-None-Exist` if there is one."""
    check_type(resource_type)
    resource = await sent_resource(request, None)
    check_resource(resource, resource_type, None)
    share_parts(resource)
    _refuse_condition_of_create(request)
    sent = request.header(b"if-none-exist")
    condition = parse_if_none_exist(sent, resource_type) if sent else None
    write = WriteRequest("POST", resource_type, resource=resource, if_none_exist=condition)
    return await _write(endpoint, request, write)


async def update(endpoint: Endpoint, request: Request) -> Response:
    """Answers `PUT Type/id` and `PUT Type?condition`."""
    resource_type, id_, condition = _target(request)
    resource = await sent_resource(request, id_)
    check_resource(resource, resource_type, id_)
    refuse_subsetted(resource)
    share_parts(resource)
    write = WriteRequest(
        "PUT",
        resource_type,
        id_,
        resource,
        condition=condition,
        if_match=_if_match(request),
        must_be_new=request.header(b"if-none-match") == "*",
    )
    return await _write(endpoint, request, write)


async def patch(endpoint: Endpoint, request: Request) -> Response:
    """Answers `PATCH Type/id` and `PATCH Type?condition`."""
    resource_type, id_, condition = _target(request)
    sent = await request.patch()
    write = WriteRequest(
        "PATCH", resource_type, id_, patch=sent, condition=condition, if_match=_if_match(request)
    )  # fmt: skip
    return await _write(endpoint, request, write)


async def delete(endpoint: Endpoint, request: Request) -> Response:
    """Answers `DELETE Type/id` and `DELETE Type?condition`; the header `X-Conditional-Delete: remove-all` means all.

    `DELETE Type/id/_history`, with or without a version, erases what is no longer current.
    """
    if request.segments[2:3] == ["_history"]:
        refuse_query(request.query)
        owner, owner_id, _, *version = request.segments
        await delete_history(endpoint.repository, check_type(owner), check_id(owner_id), *version)
        return Response(204)
    resource_type, id_, condition = _target(request)
    if condition is not None and (scope := request.header(b"x-conditional-delete")):
        _check_scope(request, scope)
        if request.preferences.respond_async:
            return answer_accepted(await begin_deletion(endpoint.repository, resource_type, condition), request)
        deleted = await delete_matching(endpoint.repository, resource_type, condition)
        return _answer_deleted(deleted, request)
    write = WriteRequest("DELETE", resource_type, id_, condition=condition, if_match=_if_match(request))
    return await _write(endpoint, request, write)


def _check_scope(request: Request, scope: str) -> None:
    if scope.strip().lower() != "remove-all" or request.header(b"if-match"):
        raise InvalidContent(
            "`X-Conditional-Delete` takes `remove-all`, without `If-Match`; else a condition deletes one resource.",
            "`X-Conditional-Delete` admet `remove-all`, sans `If-Match` ; sinon une condition supprime une ressource.",
            rule="delete-scope",
        )


def _answer_deleted(deleted: int, request: Request) -> Response:
    if request.preferences.returns != "OperationOutcome":
        return Response(204)
    english, french = f"Resources deleted: {deleted}.", f"Ressources supprimées : {deleted}."
    told = Issue("information", "informational", "deleted", english, french)
    return answer_resource(build_outcome([told], request.preferences.language), request.preferences)


def _target(request: Request) -> tuple[str, str | None, str | None]:
    """Returns type, and id or condition, of the resource that a URL means."""
    resource_type = check_type(request.segments[0])
    if len(request.segments) == 1:
        return resource_type, None, _required_condition(request)
    refuse_query(request.query)
    return resource_type, check_id(request.segments[1]), None


def _if_match(request: Request) -> tuple[int, ...] | None:
    sent = request.header(b"if-match")
    return parse_if_match(sent) if sent else None


async def _write(endpoint: Endpoint, request: Request, write: WriteRequest) -> Response:
    [result] = await apply(endpoint.repository, [write])
    return answer_write(result, request.base_url, request.preferences)


def _refuse_condition_of_create(request: Request) -> None:
    if request.query:
        raise InvalidContent(
            "A create has no search parameters; the condition of a conditional create is the header `If-None-Exist`.",
            "Une création n'a pas de paramètres de recherche ; la condition d'une création conditionnelle est l'en-tête"
            " `If-None-Exist`.",
            rule="parameter-unknown",
        )


def _required_condition(request: Request) -> str:
    """An update or delete of a whole type without a condition is a mistake, never an intention."""
    if not request.query:
        method, resource_type = request.method, request.segments[0]
        raise NotSupported(
            f"`{method}` on a type needs a condition, such as `{resource_type}?identifier=system|value`.",
            f"`{method}` sur un type demande une condition, comme `{resource_type}?identifier=system|valeur`.",
            rule="condition-empty",
        )
    return urlencode(request.query, safe=":/|,$")
