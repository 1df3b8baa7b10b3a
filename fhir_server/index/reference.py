"""Reference search: entries and conditions.

https://hl7.org/fhir/R4/search.html#reference

| value                           | matches                                                              |
|---------------------------------|----------------------------------------------------------------------|
| `Patient/1`, `<base>/Patient/1` | references to that resource, whatever their version                  |
| `1`                             | references to that id, of any type the parameter leads to            |
| `:Patient=1`                    | the same, of that type                                               |
| `http://elsewhere/Patient/1`    | references to exactly that URL; canonicals also without their version |
| `:identifier=system|value`      | references that carry that identifier (`Reference.identifier`)       |

`:above` and `:below` are widened to the references they stand for before they come here (`search/hierarchies.py`).
References to contained resources, and those that only have a display, are found by `:missing=false` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition, any_key, capped, prefix_range, split, unescape
from fhir_server.spec.definitions import resource_types
from fhir_server.spec.references import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing", "identifier"})
"""And the name of each resource type the parameter leads to."""
PREFIXES: frozenset[str] = frozenset()

_TYPES = resource_types()
_CONTENT = frozenset({"reference", "identifier", "display", "type"})


def writer(parameter: SearchParameter, type_name: str, context: ValueContext) -> Write:
    """Returns what adds the entries of one Reference, canonical or uri, or of a resource that stands inside
    (`Bundle.entry[0]`).
    """
    code, only = parameter.code, parameter.only
    if type_name == "Reference":
        return lambda draft, value: _write(draft, code, only, value, context)

    def write_reference(draft: Draft, value: Any) -> None:
        for text in _texts(value, context):
            draft.keys[capped(f"{code}={text}")] = None

    return write_reference


def _write(draft: Draft, code: str, only: str | None, value: dict[str, Any], context: ValueContext) -> None:
    text = value.get("reference") or ""
    kind, slash, id_ = text.partition("/")
    if slash and kind in _TYPES and "/" not in id_:  # most are `Type/id`, and stay as they are
        if only is None or only == kind:
            draft.keys[capped(f"{code}={text}")] = None
        if "identifier" in value and only in (None, kind):
            _write_identifier(draft, code, value["identifier"])
        return
    text = _plain(text, context) if text[:1] not in ("", "#") else text
    kind = text.partition("/")[0]
    if kind in _TYPES:
        if only in (None, kind):
            draft.keys[capped(f"{code}={text}")] = None
    else:
        kind = _type_elsewhere(text, value, draft)
        if only in (None, kind) and not _CONTENT.isdisjoint(value):
            # For `:missing`: the target is contained, elsewhere, or named by identifier or display only.
            draft.keys[f"{code}=#{kind}"] = None
            if text[1:] in draft.contained and text[0] == "#":
                draft.inside[code, text[1:]] = None
            if text[:1] not in ("", "#"):
                draft.keys[capped(f"{code}={text}")] = None
    if "identifier" in value and only in (None, kind):
        _write_identifier(draft, code, value["identifier"])


def _type_elsewhere(text: str, value: dict[str, Any], draft: Draft) -> str:
    """Returns the type that a reference leads to which is not `Type/id` on this server; empty where it is not said."""
    if text[:1] == "#":
        return draft.contained.get(text[1:], "")
    return _type_in_url(text) or value.get("type", "")


def _type_in_url(text: str) -> str:
    parts = text.rsplit("/", 2)
    return parts[1] if len(parts) == 3 and parts[1] in _TYPES else ""


def _write_identifier(draft: Draft, code: str, identifier: dict[str, Any] | None) -> None:
    text = identifier.get("value") if identifier else None
    if identifier and text:
        draft.keys[capped(f"{code};{identifier.get('system', '')}|{text}")] = None


def condition(parameter: SearchParameter, modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value.

    Raises InvalidContent for an id without a type where many types are possible, and for `:Patient=Group/1`.
    """
    if modifier == "identifier":
        return _identifier(parameter, value)
    keys: list[str] = []
    for text in _targets(parameter, modifier, unescape(value), context):
        for home in parameter.homes:
            if home.target is None or text.startswith(f"{home.target}/") or _type_in_url(text) == home.target:
                keys.append(capped(f"{home.code}={text}"))
    return Condition(tuple(dict.fromkeys(keys)))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    found: list[dict[str, Any]] = []
    for home in parameter.homes:
        if home.target:
            found += [prefix_range(f"{home.code}={home.target}/"), {"k": f"{home.code}=#{home.target}"}]
        else:
            found.append(any_key(home.code))
    return tuple(found)


def _texts(value: Any, context: ValueContext) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        canonical, bar, _ = value.partition("|")
        if bar:
            yield canonical
        return
    if "resourceType" in value and "id" in value:
        yield f"{value['resourceType']}/{value['id']}"


def _plain(text: str, context: ValueContext) -> str:
    """Returns a reference without its version, relative where the target is this server's."""
    try:
        reference = parse_reference(text, context.base_urls)
    except InvalidContent:
        return text
    return f"{reference.resource_type}/{reference.id_}" if reference.is_local else text


def _targets(parameter: SearchParameter, modifier: str | None, value: str, context: ValueContext) -> list[str]:
    if "/" in value or ":" in value:
        text = _plain(value, context)
        if modifier is not None and not text.startswith(f"{modifier}/"):
            raise _invalid(parameter, value)
        return [text]
    if modifier is not None:
        return [f"{modifier}/{value}"]
    targets = parameter.targets or sorted(resource_types())
    only = {home.target for home in parameter.homes}
    return [f"{target}/{value}" for target in targets if None in only or target in only]


def _identifier(parameter: SearchParameter, value: str) -> Condition:
    parts = [unescape(part) for part in split(value, "|")]
    if len(parts) != 2 or not parts[1]:
        raise InvalidContent(
            f"`{parameter.code}:identifier={value}` is not `system|value`.",
            f"`{parameter.code}:identifier={value}` n'est pas `système|valeur`.",
            rule="reference-identifier-invalid",
        )
    return Condition(tuple(capped(f"{home.code};{parts[0]}|{parts[1]}") for home in parameter.homes))


def _invalid(parameter: SearchParameter, value: str) -> InvalidContent:
    return InvalidContent(
        f"`{value}` is not a reference that `{parameter.code}` can have.",
        f"`{value}` n'est pas une référence possible pour `{parameter.code}`.",
        rule="reference-invalid",
    )
