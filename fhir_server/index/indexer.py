"""Resource → index document, whose shape `entries` describes.

Parameters are grouped by the JSON key they begin with, so that only those run whose element is there. Plain paths are
walked in the JSON itself; the rest goes through FHIRPath.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.fhirpath import Environment, compile_expression
from fhir_server.index.entries import Draft
from fhir_server.index.registry import TYPES
from fhir_server.spec.compartments import patient_of
from fhir_server.spec.dates import EARLIEST

if TYPE_CHECKING:
    from fhir_server.index.expressions import Alternative
    from fhir_server.index.parameter import SearchParameter, ValueContext
    from fhir_server.index.registry import SearchParameterRegistry

MONGODB_INDEXES: tuple[tuple[tuple[str, int], ...], ...] = (
    (("k", 1), ("date", -1), ("_id", 1)),
    (("patient", 1), ("k", 1), ("date", -1), ("_id", 1)),
    (("date", -1), ("_id", 1)),
    (("d.p", 1), ("d.h", 1), ("d.l", 1)),
    (("n.p", 1), ("n.l", 1), ("n.h", 1)),
)
"""Indexes that each collection of current versions needs, besides `_id` and the store's own on `at`."""

# `_id` and `_lastUpdated` are answered from the document's own `_id` and `at`.
_OWN_FIELDS = frozenset({"_id", "_lastUpdated"})

_Write = Callable[[Draft, "SearchParameter", str, Any, "ValueContext"], None]


@dataclass(frozen=True, slots=True)
class _Rule:
    """One branch of one parameter's expression, ready to run."""

    parameter: SearchParameter
    write: _Write
    run: Callable[[dict[str, Any]], Iterator[tuple[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Rules:
    """What is indexed of one resource type: by the JSON key it begins with, and what always runs.

    `simple` are branches that are one element of the resource; they write its values without a walk.
    """

    simple: dict[str, tuple[tuple[SearchParameter, _Write, str], ...]]
    by_key: dict[str, tuple[_Rule, ...]]
    always: tuple[_Rule, ...]
    main_date: str


class Indexer:
    """Builds the index document of resources."""

    def __init__(self, registry: SearchParameterRegistry) -> None:
        self._registry = registry
        self._context = registry.context
        self._rules: dict[str, _Rules] = {}

    def document(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Returns the index document of a valid resource.

        Raises InvalidContent where a date is none; anything else that is not as its definition says is a bug of the
        caller.
        """
        resource_type = resource["resourceType"]
        rules = self._rules.get(resource_type)
        if rules is None:
            rules = self._rules[resource_type] = self._compile(resource_type)
        draft, context = Draft(), self._context
        runs: list[_Rule] = list(rules.always)
        for key, value in resource.items():
            if key in rules.by_key:
                runs.extend(rules.by_key[key])
            for parameter, write, type_name in rules.simple.get(key, ()):
                for item in value if type(value) is list else (value,):
                    if item is not None:
                        write(draft, parameter, type_name, item, context)
        for rule in runs:
            for type_name, item in rule.run(resource):
                rule.write(draft, rule.parameter, type_name, item, context)
        return self._document(resource, draft, rules.main_date)

    def _document(self, resource: dict[str, Any], draft: Draft, main_date: str) -> dict[str, Any]:
        order = draft.order
        main = order.pop(main_date, None)
        document: dict[str, Any] = {
            "patient": patient_of(resource, self._context.base_urls),
            "date": main["l"] if main else EARLIEST,
            "k": list(draft.keys),
        }
        for name, entries in (("d", draft.dates), ("n", draft.numbers), ("x", draft.exact), ("s", order)):
            if entries:
                document[name] = entries
        return document

    def _compile(self, resource_type: str) -> _Rules:
        simple: dict[str, list[tuple[SearchParameter, _Write, str]]] = {}
        by_key: dict[str, list[_Rule]] = {}
        always: list[_Rule] = []
        for parameter in self._registry.for_type(resource_type).values():
            if parameter.code in _OWN_FIELDS or not parameter.is_indexed:
                continue
            write: _Write = TYPES[parameter.type].write
            for branch in parameter.alternatives:
                if branch.path == ():
                    for key, type_name in branch.leaves:
                        simple.setdefault(key, []).append((parameter, write, type_name))
                    continue
                rule = _Rule(parameter, write, _runner(branch, resource_type))
                for key in branch.heads:
                    by_key.setdefault(key, []).append(rule)
                if not branch.heads:
                    always.append(rule)
        main = self._registry.main_date(resource_type)
        return _Rules(
            {key: tuple(found) for key, found in simple.items()},
            {key: tuple(found) for key, found in by_key.items()},
            tuple(always),
            main.code if main else "",
        )


def _runner(branch: Alternative, resource_type: str) -> Callable[[dict[str, Any]], Iterator[tuple[str, Any]]]:
    if branch.path is not None:
        path, leaves = branch.path, branch.leaves
        return lambda resource: walk(resource, path, leaves)
    expression = compile_expression(branch.text, resource_type)

    def run(resource: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for type_name, value in expression.evaluate_typed(resource, Environment(resource=resource, root=resource)):
            if type_name == "Extension":
                yield from _extension_values(value)
            else:
                yield type_name, value

    return run


def walk(node: Any, path: Sequence[str], leaves: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Yields (FHIR type, value) of what the last step finds after the steps of `path`, lists flattened."""
    nodes = [node]
    for key in path:
        found: list[Any] = []
        for each in nodes:
            value = each.get(key)
            if type(value) is list:
                found.extend(item for item in value if item is not None)
            elif value is not None:
                found.append(value)
        nodes = found
    for each in nodes:
        for key, type_name in leaves:
            value = each.get(key)
            if type(value) is list:
                yield from ((type_name, item) for item in value if item is not None)
            elif value is not None:
                yield type_name, value


def _extension_values(extension: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in extension.items():
        if key.startswith("value"):
            name = key[5:]
            yield (name if isinstance(value, dict) else name[0].lower() + name[1:]), value
