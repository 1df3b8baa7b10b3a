"""History of a resource, a type and the whole system. https://hl7.org/fhir/R4/http.html#history"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import quote_plus

from fhir_server.errors import InvalidContent, NotSupported, ResourceNotFound
from fhir_server.interactions.repository import Repository
from fhir_server.spec.dates import EARLIEST, LATEST, date_range, instant_text
from fhir_server.spec.definitions import resource_types
from fhir_server.spec.json_format import RawJson, encode
from fhir_server.spec.primitives import check
from fhir_server.spec.subset import WHOLE, Subset, subset_of_read
from fhir_server.store import StoredVersion

PARAMETERS = ("_count", "_since", "_at", "_summary", "_elements", "_page")
_PLAIN = re.compile(r"[A-Za-z0-9_.~:,-]*").fullmatch
DEFAULT_COUNT = 20
MAX_COUNT = 1000
AT_PREFIXES: dict[str, Callable[[datetime, datetime], tuple[datetime, datetime]]] = {
    "eq": lambda low, high: (low, high),
    "ge": lambda low, high: (low, LATEST),
    "gt": lambda low, high: (high, LATEST),
    "sa": lambda low, high: (high, LATEST),
    "le": lambda low, high: (EARLIEST, high),
    "lt": lambda low, high: (EARLIEST, low),
    "eb": lambda low, high: (EARLIEST, low),
}
"""The time that a prefix makes of the range of a date."""
STATUS = {"POST": "201 Created", "PUT": "200 OK", "DELETE": "204 No Content"}


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which versions are asked for: of `id_`, else of `resource_type`, else all.

    `parameters` are the names and values that make the links, `page` is the token of a next link, `subset` what is left
    of each resource.
    """

    base_url: str
    resource_type: str | None = None
    id_: str | None = None
    count: int = DEFAULT_COUNT
    since: str | None = None
    at: str | None = None
    page: str | None = None
    subset: Subset = WHOLE
    parameters: Sequence[tuple[str, str]] = ()

    @classmethod
    def parse(
        cls,
        query: Sequence[tuple[str, str]],
        base_url: str,
        resource_type: str | None = None,
        id_: str | None = None,
    ) -> "HistoryQuery":
        """Returns the query; raises InvalidContent for a parameter that history does not have, or a wrong value."""
        values = _values(query)
        count = _count(values.get("_count", str(DEFAULT_COUNT)))
        if "_since" in values and not check("instant", values["_since"]):
            raise InvalidContent(
                f"`_since` must be an instant such as `2023-03-15T09:30:00+01:00`, not `{values['_since']}`.",
                f"`_since` doit être un instant comme `2023-03-15T09:30:00+01:00`, et non `{values['_since']}`.",
                rule="parameter-since",
            )
        return cls(
            base_url,
            resource_type,
            id_,
            count,
            values.get("_since"),
            values.get("_at"),
            values.get("_page"),
            subset_of_read(query, (resource_type,) if resource_type else resource_types()),
            [("_count", str(count)), *((n, v) for n, v in values.items() if n not in ("_count", "_page"))],
        )

    @property
    def path(self) -> str:
        """The URL of this history below the base URL."""
        return "/".join(part for part in (self.resource_type, self.id_, "_history") if part)

    def link(self, page: str | None) -> str:
        """Returns the URL of this query, or of its next page."""
        values = [*self.parameters, *([("_page", page)] if page else [])]
        return f"{self.base_url}/{self.path}?{'&'.join(f'{name}={_quoted(value)}' for name, value in values)}"


def _quoted(text: str) -> str:
    # Most values need no quoting, and the library takes its time to find that out.
    return text if _PLAIN(text) else quote_plus(text, safe=",:")


def _values(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in query:
        if name == "_sort":
            raise NotSupported(
                "History is always in order of time, the newest version first; it has no `_sort` in R4.",
                "L'historique va toujours de la version la plus récente à la plus ancienne ; R4 n'y a pas de `_sort`.",
                rule="history-sort",
            )
        if name not in PARAMETERS or name in values:
            known = ", ".join(f"`{known}`" for known in PARAMETERS[:-1])
            raise InvalidContent(
                f"History takes each of {known} once; `{name}` does not fit.",
                f"L'historique admet une fois chacun de {known} ; `{name}` ne convient pas.",
                rule="parameter-unknown",
            )
        values[name] = value
    return values


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise InvalidContent(
            f"`_count` must be a whole number, not `{text}`.",
            f"`_count` doit être un nombre entier, et non `{text}`.",
            rule="parameter-count",
        )
    return min(int(text), MAX_COUNT)


def _time(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Returns the time that `_at` names, as [low, high): `2023-03`, or from or up to a date with a prefix."""
    prefix, date = (text[:2], text[2:]) if text[:2] in AT_PREFIXES else ("eq", text)
    try:
        low, high = date_range(date, zone)
    except InvalidContent:
        names = ", ".join(f"`{name}`" for name in AT_PREFIXES)
        raise InvalidContent(
            f"`_at` must be a date or dateTime such as `2023-03-15`, with a prefix of {names} or none, not `{text}`.",
            f"`_at` doit être une date comme `2023-03-15`, avec ou sans préfixe parmi {names}, et non `{text}`.",
            rule="parameter-at",
        ) from None
    return AT_PREFIXES[prefix](low, high)


async def history(repository: Repository, query: HistoryQuery) -> dict[str, Any]:
    """Returns a history bundle, newest version first.

    Raises ResourceNotFound where the resource was never there.
    """
    zone = repository.search_parameters.context.zone
    page = await repository.store.history(
        query.resource_type,
        query.id_,
        since=date_range(query.since, zone)[0] if query.since else None,
        current_in=_time(query.at, zone) if query.at else None,
        count=query.count,
        after=query.page,
    )
    if not page.is_known:
        name = f"{query.resource_type}/{query.id_}"
        raise ResourceNotFound(f"There is no `{name}`.", f"`{name}` n'existe pas.", rule="resource-unknown")
    links = [{"relation": "self", "url": query.link(query.page)}]
    if page.next_after is not None:
        links.append({"relation": "next", "url": query.link(page.next_after)})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = links
    if page.entries:
        bundle["entry"] = _entries(page.entries, query)
    return bundle


def _entries(versions: Iterable[StoredVersion], query: HistoryQuery) -> RawJson:
    """Returns the entries as one piece of JSON, so that their resources are copied once."""
    begin = b',{"fullUrl":' + encode(query.base_url)[:-1]
    pieces: list[bytes] = []
    for version in versions:
        # No character of a type, an id or an instant is one that JSON writes otherwise.
        path = f"{version.resource_type}/{version.id_}"
        url = version.resource_type if version.method == "POST" else path
        status = "201 Created" if version.version_id == 1 else STATUS[version.method]
        about = (
            f'"request":{{"method":"{version.method}","url":"{url}"}},'
            f'"response":{{"status":"{status}","etag":"W/\\"{version.version_id}\\"",'
            f'"lastModified":"{instant_text(version.last_updated)}"}}}}'
        )
        if version.json is None:
            pieces += (begin, f'/{path}",{about}'.encode())
        else:
            json = version.json if query.subset.is_whole else encode(query.subset.of(version.resource or {}))
            pieces += (begin, f'/{path}","resource":'.encode(), json, f",{about}".encode())
    pieces[0] = b"[" + pieces[0][1:]
    return RawJson(b"".join((*pieces, b"]")))
