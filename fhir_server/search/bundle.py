"""Page → Bundle of type searchset.

https://hl7.org/fhir/R4/bundle.html#searchset, https://hl7.org/fhir/R4/search.html#entries
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from fhir_server.outcome import build_outcome
from fhir_server.search.subset import subsetted
from fhir_server.spec.json_format import RawJson, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhir_server.search.page import Found, Page
    from fhir_server.search.request import SearchRequest

LONGEST_LINK = 2000
"""Characters that any client, proxy and server takes in a URL."""
_READABLE = ":/|,$"
"""Characters that stay as they are in the query of a link, for those who read it."""
_PLAIN = re.compile(r"[A-Za-z0-9_.~:/|,$-]*").fullmatch


def build_bundle(
    page: Page, request: SearchRequest, base_url: str, self_path: str, language: str = "fr"
) -> dict[str, Any]:
    """Returns the searchset; `base_url` is without a slash at the end, `self_path` as in `Patient`, empty for
    the system.

    Its entries are `RawJson`; `json_format.unpacked` decodes them for who has to look inside.

    The links hold the parameters that were understood, so a lenient client sees what was ignored.
    """
    page = subsetted(page, request.subset)
    links = [{"relation": "self", "url": _url(request, base_url, self_path, request.page)}]
    if request.page or page.next_page is not None:
        links.append({"relation": "first", "url": _url(request, base_url, self_path, "")})
    if page.next_page is not None:
        links.append({"relation": "next", "url": _next_url(request, base_url, self_path, page.next_page)})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = links
    if page.matches or page.included or page.warnings:
        outcomes = [build_outcome(page.warnings, language)] if page.warnings else []
        bundle["entry"] = raw_entries(base_url, page.matches, page.included, outcomes)
    return bundle


def raw_entries(
    base_url: str, matches: Iterable[Found], included: Iterable[Found], outcomes: Iterable[dict[str, Any]] = ()
) -> RawJson:
    """Returns the entries of a searchset as one piece of JSON, so that their resources are copied once."""
    begin = b',{"fullUrl":' + encode(base_url)[:-1]
    pieces: list[bytes] = []
    for mode, resources in ((b"match", matches), (b"include", included)):
        end = b',"search":{"mode":"' + mode + b'"}}'
        for resource_type, id_, json in resources:
            # Neither a type nor an id has a character that JSON writes otherwise.
            pieces += (begin, f'/{resource_type}/{id_}","resource":'.encode(), json, end)
    for outcome in outcomes:
        pieces.append(b"," + encode({"resource": outcome, "search": {"mode": "outcome"}}))
    if not pieces:
        return RawJson(b"[]")
    pieces[0] = b"[" + pieces[0][1:]
    return RawJson(b"".join((*pieces, b"]")))


def _quoted(text: str) -> str:
    # Most names and values need no quoting, and the library takes its time to find that out.
    return text if _PLAIN(text) else quote_plus(text, safe=_READABLE)


def _next_url(request: SearchRequest, base_url: str, self_path: str, token: str) -> str:
    """Returns the whole link where it is of a common length, else the token alone, which carries the parameters too."""
    url = _url(request, base_url, self_path, token)
    return url if len(url) <= LONGEST_LINK else f"{_place(base_url, self_path)}?_page={token}"


def _url(request: SearchRequest, base_url: str, self_path: str, token: str) -> str:
    parameters = [*request.parameters, *([("_page", token)] if token else [])]
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in parameters)
    return f"{_place(base_url, self_path)}?{query}" if query else _place(base_url, self_path)


def _place(base_url: str, self_path: str) -> str:
    return f"{base_url}/{self_path}" if self_path else base_url
