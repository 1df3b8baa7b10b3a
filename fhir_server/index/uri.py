"""Uri search: entries and conditions.

https://hl7.org/fhir/R4/search.html#uri

| value                  | matches                                                              |
|------------------------|----------------------------------------------------------------------|
| `http://x/fhir/A`      | exactly that uri; a canonical with a version also without it         |
| `:below=http://x/fhir` | that uri and what lies below it, by whole segments (`http://x/fhir/A`) |
| `:above=http://x/fhir` | that uri and those it lies below (`http://x`)                        |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import Condition, any_key, capped, prefix_range, unescape

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing", "above", "below"})
PREFIXES: frozenset[str] = frozenset()


def writer(parameter: SearchParameter, _type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entries of one uri, url, oid or canonical."""
    code = parameter.code
    is_sortable = not code.startswith("_")

    def write_uri(draft: Draft, value: Any) -> None:
        draft.keys[capped(f"{code}={value}")] = None
        canonical, bar, _ = value.partition("|")
        if bar:
            draft.keys[capped(f"{code}={canonical}")] = None
        if is_sortable:
            draft.sortable(code, value, value)

    return write_uri


def condition(parameter: SearchParameter, modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value."""
    value = unescape(value)
    names = [home.code for home in parameter.homes]
    if modifier == "below":
        below = tuple(prefix_range(f"{name}={value.rstrip('/')}/") for name in names)
        return Condition(tuple(capped(f"{name}={value.rstrip('/')}") for name in names), below)
    uris = _ancestors(value) if modifier == "above" else [value]
    return Condition(tuple(capped(f"{name}={uri}") for name in names for uri in uris))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple(any_key(home.code) for home in parameter.homes)


def _ancestors(uri: str) -> list[str]:
    scheme, mark, rest = uri.rstrip("/").partition("://")
    parts = rest.split("/")
    return [uri, *(f"{scheme}{mark}{'/'.join(parts[:count])}" for count in range(len(parts) - 1, 0, -1))]
