"""What `_summary` and `_elements` leave of a page. https://hl7.org/fhir/R4/search.html#summary"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.errors import InvalidContent
from fhir_server.spec.json_format import encode

if TYPE_CHECKING:
    from fhir_server.search.page import Found, Page
    from fhir_server.search.request import SearchRequest
    from fhir_server.spec.subset import Subset


def settled(request: SearchRequest) -> SearchRequest:
    """Returns the request once all is read: `_summary=count` counts, whatever `_count` says beside it.

    Raises InvalidContent for `_summary=text` with includes, which R4 rules out.
    """
    if request.subset.summary == "text" and request.includes:
        raise InvalidContent(
            "`_summary=text` cannot go with `_include` or `_revinclude`; use `_summary=true` or `_summary=data`.",
            "`_summary=text` ne va pas avec `_include` ni `_revinclude` ; utilisez `_summary=true` ou `_summary=data`.",
            rule="parameter-summary",
        )
    return replace(request, count=0) if ("_summary", "count") in request.parameters else request


def subsetted(page: Page, subset: Subset) -> Page:
    """Returns the page with what `subset` leaves; `_elements` is about the matches, `_summary` about all."""
    if subset.is_whole:
        return page
    included = page.included if subset.elements else _of_each(page.included, subset)
    return replace(page, matches=_of_each(page.matches, subset), included=included)


def _of_each(found: tuple[Found, ...], subset: Subset) -> tuple[Found, ...]:
    return tuple(one._replace(json=encode(subset.of(one.resource()))) for one in found)
