"""Reference search: entries and conditions.

https://hl7.org/fhir/R4/search.html#reference

| value                           | matches                                                              |
|---------------------------------|----------------------------------------------------------------------|
| `Patient/1`, `<base>/Patient/1` | references to that resource, whatever their version                  |
| `1`                             | references to that id, of any type the parameter leads to            |
| `:Patient=1`                    | the same, of that type                                               |
| `http://elsewhere/Patient/1`    | references to exactly that URL; canonicals also without their version |
| `:identifier=system|value`      | references that carry that identifier (`Reference.identifier`)       |

References to contained resources are not searched.
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


def writer(parameter: SearchParameter, type_name: str, context: ValueContext) -> Write:
    """Returns what adds the entries of one Reference, canonical or uri, or of a resource that stands inside
    (`Bundle.entry[0]`).
    """
    code, only = parameter.code, parameter.only
    beginning = f"{only}/" if only is not None else ""
    is_reference = type_name == "Reference"

    def write_reference(draft: Draft, value: Any) -> None:
        if is_reference:
            text = value.get("reference")
            if text and text[0] != "#" and (text := _canonical_form(text, context)).startswith(beginning):
                draft.keys[capped(f"{code}={text}")] = None
            if "identifier" in value:
                _write_identifier(draft, code, only, value)
            return
        for text in _texts(value, context):
            if text.startswith(beginning):
                draft.keys[capped(f"{code}={text}")] = None

    return write_reference


def _write_identifier(draft: Draft, code: str, only: str | None, value: dict[str, Any]) -> None:
    identifier = value["identifier"]
    text = identifier.get("value") if identifier and only in (None, value.get("type")) else None
    if text:
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
            if home.target is None or text.startswith(f"{home.target}/"):
                keys.append(capped(f"{home.code}={text}"))
    return Condition(tuple(dict.fromkeys(keys)))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    found: list[dict[str, Any]] = []
    for home in parameter.homes:
        if home.target:
            found.append(prefix_range(f"{home.code}={home.target}/"))
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
    if "resourceType" in value:
        if "id" in value:
            yield f"{value['resourceType']}/{value['id']}"
        return
    text = value.get("reference")
    if text and text[0] != "#":
        yield _canonical_form(text, context)


def _canonical_form(text: str, context: ValueContext) -> str:
    """Returns what a reference is indexed as; most are `Type/id` and stay as they are."""
    kind, slash, id_ = text.partition("/")
    if slash and kind in _TYPES and "/" not in id_:
        return text
    return _plain(text, context)


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
