"""References between the entries of a transaction, and conditional references, made literal.

A reference to the `fullUrl` of an entry becomes that resource's `Type/id` everywhere R4 names: in references, in
elements of type uri, url, canonical, oid and uuid, and in the links and images of narratives. A conditional reference
(`Patient?identifier=…`) becomes the one resource that it matches.
https://hl7.org/fhir/R4/http.html#transaction

The resources are walked once, to find the places (`Slot`s) that may have to change; each attempt to apply the
transaction writes what they mean then into those places.
"""

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

from fhir_server.errors import ConditionNotSelective, ConditionUnmatched, FhirError, InvalidContent
from fhir_server.interactions.condition import matching_ids
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.spec.definitions import resource_types, table
from fhir_server.spec.objects import objects_in
from fhir_server.spec.shared_parts import part_by_identity

_conditional = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_narrative_link = re.compile(r"""(\b(?:href|src)\s*=\s*["'])([^"']+)""")
_rest_tail = re.compile(r"^https?://.*/([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})$")
"""A RESTful `fullUrl`: relative references of the bundle to its `Type/id` mean that entry."""
_uri_types = {"uri", "url", "canonical", "oid", "uuid"}


class Slot(NamedTuple):
    """A place in the resource of `request` that may hold a reference: `holder[key]`, as it was sent: `text`."""

    request: WriteRequest
    holder: Any
    key: Any
    text: str


@cache
def uri_names() -> frozenset[str]:
    """Returns the JSON names under which some R4 type holds a uri, a url, a canonical, an oid or a uuid."""
    names: set[str] = set()
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


@cache
def _telling_names() -> frozenset[str]:
    """Returns the JSON names under which a text may have to change; most texts are ruled out by their name."""
    return uri_names() | {"reference", "div"}


def find_slots(requests: Sequence[WriteRequest]) -> list[Slot]:
    """Returns every reference of the resources, and every other place that names the `fullUrl` of an entry."""
    full_urls = frozenset(url for request in requests for url in _names_of(request))
    slots: list[Slot] = []
    for request in requests:
        found: list[tuple[Any, Any, str]] = []
        if request.resource is not None:
            _collect(request.resource, full_urls, found)
        elif request.patch is not None:
            _collect_in_patch(request.patch.content, full_urls, found)
        slots += [Slot(request, *place) for place in found]
    return slots


async def fill(repository: Repository, slots: Iterable[Slot], literals: Mapping[str, str]) -> None:
    """Writes into each slot what it means now; `literals` has `Type/id` by `fullUrl`, see `literals_by_url`.

    Raises InvalidContent for a `urn:uuid:` or `urn:oid:` that is the `fullUrl` of no entry, ConditionUnmatched
    or ConditionNotSelective for a conditional reference that does not match exactly one resource.
    """
    slots = list(slots)
    conditions = {slot.text: slot for slot in reversed(slots) if slot.key == "reference" and _as_conditional(slot.text)}
    found = await asyncio.gather(*(_match(repository, slot) for slot in conditions.values()))
    matched = dict(zip(conditions, found, strict=True))
    for slot in slots:
        if slot.key == "reference":
            slot.holder["reference"] = matched.get(slot.text) or _literal(slot, literals)
        elif slot.key == "div":
            slot.holder["div"] = _narrative_link.sub(lambda m: m[1] + literals.get(m[2], m[2]), slot.text)
        else:
            slot.holder[slot.key] = literals.get(slot.text, slot.text)


def literals_by_url(pairs: Iterable[tuple[WriteRequest, str]]) -> dict[str, str]:
    """Returns `Type/id` by every name that a bundle may use for it; `pairs` are its requests, each with its id."""
    return {
        name: f"{request.resource_type}/{id_}"
        for request, id_ in pairs
        if request.method != "DELETE"
        for name in _names_of(request)
    }


def _names_of(request: WriteRequest) -> list[str]:
    if not request.full_url:
        return []
    tail = _rest_tail.match(request.full_url)
    return [request.full_url, tail[1]] if tail else [request.full_url]


def _collect(resource: dict[str, Any], full_urls: Collection[str], found: list[tuple[Any, Any, str]]) -> None:
    names = _telling_names()
    nodes = [resource]
    for node in nodes:  # it grows by what is found inside
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                if name in names and (name == "reference" or value in full_urls or (name == "div" and "<" in value)):
                    found.append((node, name, value))
            elif (kind is dict or kind is list) and (own := _own(node, name, value, full_urls)) is not None:
                if kind is dict:
                    nodes.append(own)
                else:
                    _collect_in_list(own, name in names, full_urls, nodes, found)


def _collect_in_list(
    values: list[Any],
    is_telling: bool,
    full_urls: Collection[str],
    nodes: list[dict[str, Any]],
    found: list[tuple[Any, Any, str]],
) -> None:
    for number, item in enumerate(values):
        if type(item) is dict:
            if (own := _own(values, number, item, full_urls)) is not None:
                nodes.append(own)
        elif is_telling and type(item) is str and item in full_urls:
            found.append((values, number, item))


def _own(holder: Any, key: Any, value: Any, full_urls: Collection[str]) -> Any:
    """Returns what `holder[key]` is, for itself alone; None where others share it, and nothing in it has to change."""
    part = part_by_identity(id(value))
    if part is None:
        return value
    uris = part.facts.get(fill)
    if uris is None:
        uris = part.facts[fill] = frozenset(_uris_in(value))
    if not part.may_be_filled_in and uris.isdisjoint(full_urls):
        return None
    holder[key] = deepcopy(value)
    return holder[key]


def _uris_in(value: Any) -> Iterator[str]:
    """Yields every text of an object or array that may be a uri: by its name, or because an array has none itself."""
    names = uri_names()
    for node in objects_in({"": value}):
        for name, inside in node.items():
            if name in names or not name:
                yield from (text for text in (inside if type(inside) is list else [inside]) if type(text) is str)


def _collect_in_patch(node: Any, full_urls: Collection[str], found: list[tuple[Any, Any, str]]) -> None:
    """Finds references in the values of a patch; each text that names an entry is one."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        if isinstance(value, dict | list):
            _collect_in_patch(value, full_urls, found)
        elif isinstance(value, str) and (key == "reference" or value in full_urls):
            found.append((node, key, value))


def _literal(slot: Slot, literals: Mapping[str, str]) -> str:
    text = slot.text
    if text in literals:
        return literals[text]
    for mark in ("#", "/_history/"):
        base, found, rest = text.partition(mark)
        if found and base in literals:
            # The version that the sender knows is not the one this server makes: the reference is to the resource.
            return f"{literals[base]}#{rest}" if mark == "#" else literals[base]
    if text.startswith(("urn:uuid:", "urn:oid:")):
        raise InvalidContent(
            f"The reference `{text}` is the `fullUrl` of no entry of this bundle.",
            f"La référence `{text}` ne correspond au `fullUrl` d'aucune entrée de ce bundle.",
            rule="reference-unresolved",
            expression=[place_of(slot)],
        )
    return text


async def _match(repository: Repository, slot: Slot) -> str:
    resource_type, query = _as_conditional(slot.text) or ("", "")
    try:
        ids = await matching_ids(repository, resource_type, query)
    except FhirError as error:
        error.expression = error.expression or (place_of(slot),)
        raise
    if not ids:
        raise ConditionUnmatched(
            f"The conditional reference `{slot.text}` matches no resource.",
            f"La référence conditionnelle `{slot.text}` ne désigne aucune ressource.",
            rule="conditional-reference-none",
            expression=[place_of(slot)],
        )
    if len(ids) > 1:
        raise ConditionNotSelective(
            f"The conditional reference `{slot.text}` matches more than one resource.",
            f"La référence conditionnelle `{slot.text}` désigne plus d'une ressource.",
            rule="conditional-reference-multiple",
            expression=[place_of(slot)],
        )
    return f"{resource_type}/{ids[0]}"


def _as_conditional(text: str) -> tuple[str, str] | None:
    if "?" not in text:
        return None
    match = _conditional.fullmatch(text)
    if match is None or match[1] not in resource_types():
        return None
    return match[1], match[2]


def place_of(slot: Slot) -> str:
    """Returns the FHIRPath of a slot; only a refusal needs it, so it is looked for only then."""
    path = _path_to(slot.holder, slot.request.resource)
    return f"{slot.request.place}.resource{path or ''}.{slot.key}"


def _path_to(holder: Any, node: Any) -> str | None:
    if node is holder:
        return ""
    steps: Iterable[tuple[str, Any]] = ()
    if isinstance(node, dict):
        steps = ((f".{name}", value) for name, value in node.items())
    elif isinstance(node, list):
        steps = ((f"[{number}]", value) for number, value in enumerate(node))
    for step, value in steps:
        below = _path_to(holder, value)
        if below is not None:
            return step + below
    return None
