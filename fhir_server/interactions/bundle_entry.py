"""Reads one entry of a batch or transaction. https://hl7.org/fhir/R4/bundle.html#transaction"""

import re
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.interactions.addresses import (
    check_id,
    check_resource,
    check_type,
    parse_if_match,
    parse_if_none_exist,
)
from fhir_server.interactions.incomplete import refuse_subsetted
from fhir_server.interactions.patch import patch_of_entry
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.spec.shared_parts import share_parts

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_operation_url = re.compile(r"(?:[^?]*/)?\$[^/?]+(?:\?.*)?")
_resource_url = re.compile(r"([^/?]+)/([^/?]+)")


class Entry(Struct, frozen=True):
    """Entry `number` of a bundle: a `write`, or a read of `url` or a call of an operation where `write` is None.

    `if_none_match` and `if_modified_since` are those of a read: it answers 304 where the client has the version. `body`
    is what an operation is sent.
    """

    number: int
    method: str
    url: str
    write: WriteRequest | None
    if_none_match: str = ""
    if_modified_since: str = ""
    body: dict[str, Any] | None = None


def parse_entry(number: int, content: Any) -> Entry:
    """Returns the entry; raises InvalidContent or NotSupported with the place of what is wrong."""
    place = f"Bundle.entry[{number}]"
    request = content.get("request") if isinstance(content, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("url"), str) or "method" not in request:
        raise InvalidContent(
            "Each entry of a batch or transaction needs `request.method` and `request.url`.",
            "Chaque entrée d'un batch ou d'une transaction doit avoir `request.method` et `request.url`.",
            rule="bundle-request",
            expression=[f"{place}.request"],
        )
    _refuse_other_than_text(place, content, request)
    method, url = request["method"], request["url"]
    if method not in METHODS:
        raise NotSupported(
            f"`{method}` is not supported in a bundle; supported are {', '.join(METHODS)}.",
            f"`{method}` n'est pas pris en charge dans un bundle ; le sont {', '.join(METHODS)}.",
            rule="bundle-method",
            expression=[f"{place}.request.method"],
        )
    _refuse_idle_condition(place, method, request)
    if method in ("GET", "HEAD"):
        return Entry(number, method, url, None, request.get("ifNoneMatch", ""), request.get("ifModifiedSince", ""))
    if method == "POST" and _operation_url.fullmatch(url):
        return Entry(number, method, url, None, body=content.get("resource"))
    return Entry(number, method, url, _write(place, method, content, request))


def _write(place: str, method: str, content: dict[str, Any], request: dict[str, Any]) -> WriteRequest:
    resource_type, id_, condition = _target(place, method, request["url"])
    resource = content.get("resource")
    patch = patch_of_entry(resource, place) if method == "PATCH" else None
    if method in ("DELETE", "PATCH"):
        resource = None
    elif not isinstance(resource, dict):
        raise InvalidContent(
            f"An entry with `{method}` needs a `resource`.",
            f"Une entrée `{method}` doit contenir une `resource`.",
            rule="bundle-resource",
            expression=[f"{place}.resource"],
        )
    else:
        check_resource(resource, resource_type, id_, place=f"{place}.resource")
        if method == "PUT":
            refuse_subsetted(resource, f"{place}.resource")
        share_parts(resource, to_be_filled_in=True)
    if_match, if_none_exist = request.get("ifMatch"), request.get("ifNoneExist")
    if if_none_exist is not None:
        if_none_exist = parse_if_none_exist(if_none_exist, resource_type, f"{place}.request.ifNoneExist")
    return WriteRequest(
        method=method,
        resource_type=resource_type,
        id_=id_,
        resource=resource,
        patch=patch,
        condition=condition,
        if_none_exist=if_none_exist,
        if_match=parse_if_match(if_match, f"{place}.request.ifMatch") if if_match is not None else None,
        must_be_new=method == "PUT" and request.get("ifNoneMatch") == "*",
        full_url=content.get("fullUrl"),
        place=place,
    )


def _refuse_other_than_text(place: str, content: dict[str, Any], request: dict[str, Any]) -> None:
    for name in ("fullUrl", "ifMatch", "ifNoneExist", "ifNoneMatch", "ifModifiedSince"):
        holder, path = (content, place) if name == "fullUrl" else (request, f"{place}.request")
        if name in holder and not isinstance(holder[name], str):
            raise InvalidContent(
                f"`{name}` must be a text.",
                f"`{name}` doit être un texte.",
                rule="bundle-request",
                expression=[f"{path}.{name}"],
            )


def _refuse_idle_condition(place: str, method: str, request: dict[str, Any]) -> None:
    """A condition that its method does not have would be ignored, and the client believe that it holds."""
    for name, methods in (("ifMatch", ("PUT", "PATCH", "DELETE")), ("ifNoneExist", ("POST",))):
        if name in request and method not in methods:
            raise InvalidContent(
                f"`{name}` goes with {' and '.join(methods)}, not with {method}.",
                f"`{name}` va avec {' et '.join(methods)}, pas avec {method}.",
                rule="bundle-condition",
                expression=[f"{place}.request.{name}"],
            )


def _target(place: str, method: str, url: str) -> tuple[str, str | None, str | None]:
    """Returns (type, id, condition) of the URL of a write."""
    path, mark, query = url.partition("?")
    path = unquote(path.lstrip("/"))
    expression = f"{place}.request.url"
    if query.strip("&") and "/" not in path and method in ("PUT", "PATCH", "DELETE"):
        return check_type(path, expression), None, query
    if not mark and "/" not in path and method == "POST":
        return check_type(path, expression), None, None
    match = _resource_url.fullmatch(path)
    if match is None or mark or method == "POST":
        raise InvalidContent(
            f"`{url}` is not a URL for `{method}`: POST takes `Type`, others take `Type/id` or `Type?condition`.",
            f"`{url}` n'est pas une URL pour `{method}` : POST attend `Type`, sinon `Type/id` ou `Type?condition`.",
            rule="bundle-url",
            expression=[expression],
        )
    return check_type(match[1], expression), check_id(match[2], expression), None
