"""What one round of includes wants of each type: ids, canonicals, and keys of references.

https://hl7.org/fhir/R4/search.html#include
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import capped
from fhir_server.search.canonicals import is_canonical, references_to
from fhir_server.spec.definitions import resource_types

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from fhir_server.index import SearchParameter, SearchParameterRegistry
    from fhir_server.search.request import Include

_Wants = defaultdict[str, dict[str, None]]
"""Resource type → an ordered set of ids, canonicals or keys."""


class Wanted:
    """Gathers what includes want of each type; `known` are resources, as (type, id), that need not be read again."""

    def __init__(self, registry: SearchParameterRegistry, known: Collection[tuple[str, str]]) -> None:
        self._registry = registry
        self._known = known
        self._ids: _Wants = defaultdict(dict)
        self._canonicals: _Wants = defaultdict(dict)
        self._keys: _Wants = defaultdict(dict)
        self._others: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, asked: Include, sources: Sequence[Mapping[str, Any]], types: Iterable[str]) -> None:
        """Adds what one include wants for the sources; `types` are those that a reverse one looks in."""
        if asked.reverse:
            targets = [each for each in sources if asked.target in (None, each["t"])]
            for name in types if targets else ():
                for parameter in _parameters(name, asked, self._registry):
                    self._add_referring(name, parameter, targets)
            return
        for document in sources:
            if asked.source in ("*", document["t"]):
                for parameter, text in _references(document, _parameters(document["t"], asked, self._registry)):
                    self._add_target(parameter, text, asked.target)

    def conditions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (resource type, MongoDB condition): all that is wanted, one condition per type and kind."""
        for name, ids in self._ids.items():
            new = [id_ for id_ in ids if (name, id_) not in self._known]
            if new:
                yield name, {"_id": {"$in": new}}
        for name, canonicals in self._canonicals.items():
            yield name, _by_canonical(list(canonicals))
        for name, keys in self._keys.items():
            yield name, {"k": {"$in": list(keys)}}
        for name, others in self._others.items():
            yield name, {"$or": others}

    def _add_referring(
        self, resource_type: str, parameter: SearchParameter, targets: Sequence[Mapping[str, Any]]
    ) -> None:
        keys: dict[str, None] = {}
        for home in parameter.homes:
            for each in targets:
                if home.target in (None, each["t"]):
                    keys[capped(f"{home.code}={each['t']}/{each['_id']}")] = None
        by_url = [each for each in targets if "resource" in each and is_canonical(parameter, each["t"], self._registry)]
        condition = references_to(parameter, by_url)
        keys.update(dict.fromkeys(condition.keys))
        if keys:
            self._keys[resource_type].update(keys)
        if condition.others:
            self._others[resource_type].extend(condition.others)

    def _add_target(self, parameter: SearchParameter, text: str, target: str | None) -> None:
        kind, _, id_ = text.partition("/")
        if kind in resource_types():
            if target in (None, kind):
                self._ids[kind][id_] = None
        elif parameter.types & {"canonical", "uri"}:
            for name in parameter.targets:
                if target in (None, name):
                    self._canonicals[name][text] = None


def needs_url(asked: Include, registry: SearchParameterRegistry) -> bool:
    """True where an include may find resources that refer to a match by its `url`."""
    if not asked.reverse:
        return False
    parameter = registry.find(asked.source, asked.code)
    return parameter is None or bool(parameter.types & {"canonical", "uri"})


def _parameters(resource_type: str, asked: Include, registry: SearchParameterRegistry) -> list[SearchParameter]:
    known = registry.for_type(resource_type)
    if asked.code != "*":
        return [known[asked.code]] if asked.code in known else []
    return [each for each in known.values() if each.type == "reference"]


def _references(
    document: Mapping[str, Any], parameters: Iterable[SearchParameter]
) -> Iterator[tuple[SearchParameter, str]]:
    homes = [(parameter, home.target, f"{home.code}=") for parameter in parameters for home in parameter.homes]
    for key in document["k"]:
        for parameter, target, start in homes:
            if key.startswith(start):
                text = key[len(start) :]
                if target is None or text.startswith(f"{target}/"):
                    yield parameter, text


def _by_canonical(canonicals: list[str]) -> dict[str, Any]:
    """Returns the condition for definitions with one of the canonicals.

    A versioned reference is indexed with and without its version: where it gives one, only that version is meant.
    """
    versioned = [each.rpartition("|") for each in canonicals if "|" in each]
    urls = {url for url, _, _ in versioned}
    plain = [f"url={each}" for each in canonicals if "|" not in each and each not in urls]
    branches: list[dict[str, Any]] = [{"k": f"url={url}", "resource.version": version} for url, _, version in versioned]
    if plain:
        branches.append({"k": {"$in": plain}})
    return {"$or": branches}
