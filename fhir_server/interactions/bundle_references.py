"""References between the entries of a transaction, and conditional references, made literal.

A reference to the `fullUrl` of an entry becomes that resource's `Type/id` everywhere R4 names: in references, in
elements of type uri, url, canonical, oid and uuid, and in the links and images of narratives. A conditional reference
(`Patient?identifier=…`) becomes the one resource that it matches.
https://hl7.org/fhir/R4/http.html#transaction
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fhir_server.errors import ConditionNotSelective, ConditionUnmatched, InvalidContent
from fhir_server.interactions.condition import matching_ids
from fhir_server.interactions.repository import Repository
from fhir_server.spec.definitions import resource_types, table

_conditional = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_narrative_link = re.compile(r"""(\b(?:href|src)\s*=\s*["'])([^"']+)""")
_uri_types = {"uri", "url", "canonical", "oid", "uuid"}


@cache
def uri_names() -> frozenset[str]:
    """Returns the JSON names under which some R4 type holds a uri, a url, a canonical, an oid or a uuid."""
    names = {"reference"}
    for row in table("structure_definitions"):
        if row["kind"] == "primitive-type":
            continue
        for element in row.get("snapshot", {}).get("element", ()):
            name = element["path"].rpartition(".")[2]
            for entry in element.get("type", ()):
                if entry["code"] in _uri_types:
                    code = entry["code"]
                    names.add(name.replace("[x]", code[0].upper() + code[1:]))
    return frozenset(names)


def conditional_references(content: Any) -> Iterator[str]:
    """Yields the text of every conditional reference in a resource."""
    if isinstance(content, dict):
        for name, value in content.items():
            if isinstance(value, str):
                if name == "reference" and "?" in value and _as_conditional(value):
                    yield value
            else:
                yield from conditional_references(value)
    elif isinstance(content, list):
        for value in content:
            yield from conditional_references(value)


async def resolve_conditional(repository: Repository, text: str, place: str) -> str:
    """Returns the literal reference for a conditional one that stands in the entry at `place`.

    Raises ConditionUnmatched or ConditionNotSelective where it does not match exactly one resource.
    """
    resource_type, query = _as_conditional(text) or ("", "")
    ids = await matching_ids(repository, resource_type, query)
    if not ids:
        raise ConditionUnmatched(
            f"The conditional reference `{text}` matches no resource.",
            f"La référence conditionnelle `{text}` ne désigne aucune ressource.",
            rule="conditional-reference-none",
            expression=[f"{place}.resource"],
        )
    if len(ids) > 1:
        raise ConditionNotSelective(
            f"The conditional reference `{text}` matches more than one resource.",
            f"La référence conditionnelle `{text}` désigne plus d'une ressource.",
            rule="conditional-reference-multiple",
            expression=[f"{place}.resource"],
        )
    return f"{resource_type}/{ids[0]}"


def rewrite(resource: dict[str, Any], targets: Mapping[str, str], place: str) -> dict[str, Any]:
    """Returns a copy of `resource` in which each reference in `targets` is replaced.

    Raises InvalidContent, at `place`, for a reference to a `urn:uuid:` or `urn:oid:` that is no entry's `fullUrl`.
    """
    contained = resource.get("contained")
    copy = _rewrite_object(resource, targets, place)
    if contained:
        copy["contained"] = [_rewrite_object(one, targets, place) for one in contained]
    return copy


def _rewrite_object(content: dict[str, Any], targets: Mapping[str, str], path: str) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for name, value in content.items():
        kind = type(value)
        if kind is str:
            copy[name] = _rewrite_text(name, value, targets, path)
        elif kind is dict:
            copy[name] = _rewrite_object(value, targets, f"{path}.{name}")
        elif kind is list:
            copy[name] = [
                _rewrite_object(item, targets, f"{path}.{name}[{number}]")
                if type(item) is dict
                else (_rewrite_text(name, item, targets, path) if type(item) is str else item)
                for number, item in enumerate(value)
            ]
        else:
            copy[name] = value
    return copy


def _rewrite_text(name: str, value: str, targets: Mapping[str, str], path: str) -> str:
    if name == "div":
        return _narrative_link.sub(lambda m: m[1] + targets.get(m[2], m[2]), value)
    if name not in uri_names():
        return value
    if name == "reference":
        return _rewrite_reference(value, targets, path)
    return targets.get(value, value)


def _rewrite_reference(value: str, targets: Mapping[str, str], path: str) -> str:
    if value in targets:
        return targets[value]
    base, mark, fragment = value.partition("#")
    if mark and base in targets:
        return f"{targets[base]}#{fragment}"
    if value.startswith(("urn:uuid:", "urn:oid:")):
        raise InvalidContent(
            f"The reference `{value}` is the `fullUrl` of no entry of this bundle.",
            f"La référence `{value}` ne correspond au `fullUrl` d'aucune entrée de ce bundle.",
            rule="reference-unresolved",
            expression=[f"{path}.reference"],
        )
    return value


def _as_conditional(text: str) -> tuple[str, str] | None:
    match = _conditional.fullmatch(text)
    if match is None or match[1] not in resource_types():
        return None
    return match[1], match[2]
