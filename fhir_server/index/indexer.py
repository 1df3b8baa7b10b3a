"""Resource → index document, whose shape `entries` describes.

Plain paths of all parameters are merged into one tree, so that the JSON is walked once, and only where something is
indexed. The rest goes through FHIRPath, where its first element is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.fhirpath import Environment, Expression, compile_expression
from fhir_server.index import composite, words
from fhir_server.index.entries import Draft, Write, pair_keys, write_nothing
from fhir_server.index.inside import MAX_DEPTH, way_to, write_inside
from fhir_server.index.parameter import INDEXABLE
from fhir_server.index.registry import TYPES
from fhir_server.index.visits import Tree, Visit, grow, visit_by_parts, visit_of
from fhir_server.spec.compartments import patient_of
from fhir_server.spec.dates import EARLIEST
from fhir_server.spec.shared_parts import forget_parts

if TYPE_CHECKING:
    from fhir_server.index.parameter import Part, SearchParameter, ValueContext
    from fhir_server.index.registry import SearchParameterRegistry

MONGODB_INDEXES: tuple[tuple[tuple[str, int], ...], ...] = (
    (("k", 1), ("date", -1), ("_id", 1)),
    (("date", -1), ("_id", 1)),
    (("d.p", 1), ("d.h", 1), ("d.l", 1)),
    (("n.p", 1), ("n.u", 1), ("n.c", 1), ("n.t", 1), ("n.s", 1), ("n.v", 1)),
)
"""Indexes that each collection of current versions needs, besides `_id` and the store's own on `at`."""

# `_id` and `_lastUpdated` are answered from the document's own `_id` and `at`.
_OWN_FIELDS = frozenset({"_id", "_lastUpdated"})


@dataclass(frozen=True, slots=True)
class _Rule:
    """One branch of one parameter's expression that needs FHIRPath; `heads` as in Alternative."""

    writer: Callable[[str], Write]
    expression: Expression
    heads: frozenset[str]
    is_added: bool


@dataclass(frozen=True, slots=True)
class _Rules:
    """What is indexed of one resource type: by plain paths, merged into one tree, and by FHIRPath.

    `visit_parts` is for resources that contain none.
    """

    visit: Visit
    visit_parts: Visit
    others: tuple[_Rule, ...]
    main_date: str
    stamp: str


class Indexer:
    """Builds the index document of resources."""

    def __init__(self, registry: SearchParameterRegistry) -> None:
        self._registry = registry
        self._context = registry.context
        self._revision = registry.revision
        self._rules: dict[str, _Rules] = {}

    def document(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Returns the index document of a valid resource.

        Raises InvalidContent where a date is none; anything else that is not as its definition says is a bug of the
        caller.
        """
        resource_type = resource["resourceType"]
        if self._revision != self._registry.revision:
            self._forget_changed()
        rules = self._rules_of(resource_type)
        contained = {each["id"]: each for each in resource.get("contained", ()) if "id" in each}
        draft = _draft_of(resource, rules, contained)
        words.write_words(draft, resource)
        order = draft.order
        main = order.pop(rules.main_date, None)
        patient = patient_of(resource, self._context.base_urls)
        if patient is not None:
            draft.keys.update(dict.fromkeys(pair_keys(patient, draft.keys)))
        if draft.inside:
            self._write_contained(draft, contained, MAX_DEPTH)
        document: dict[str, Any] = {
            "patient": patient,
            "date": main["l"] if main else EARLIEST,
            "k": list(draft.keys),
            "i": rules.stamp,
        }
        _fill(document, draft)
        return document

    def _rules_of(self, resource_type: str) -> _Rules:
        rules = self._rules.get(resource_type)
        if rules is None:
            rules = self._rules[resource_type] = self._compile(resource_type)
        return rules

    def _write_contained(self, draft: Draft, contained: dict[str, dict[str, Any]], depth: int) -> None:
        """Adds the entries of the contained resources that those of the draft refer to, and that these refer to."""
        for code, id_ in draft.inside:
            inner = contained[id_]
            rules = self._rules_of(inner["resourceType"])
            entries = _draft_of(inner, rules, contained)
            if entries.inside and depth > 1:
                self._write_contained(entries, contained, depth - 1)
            write_inside(draft, entries, way_to(code, inner["resourceType"]))

    def _compile(self, resource_type: str) -> _Rules:
        tree: Tree = {}
        others: list[_Rule] = []
        for parameter in self._registry.indexed(resource_type).values():
            if parameter.code in _OWN_FIELDS or not parameter.is_indexed or parameter.repetitions:
                continue
            writer = _writers(parameter, self._context)
            for branch in parameter.alternatives:
                if branch.path is not None:
                    for key, type_name in branch.leaves:
                        grow(tree, (*branch.path, key), writer(type_name))
                else:
                    expression = compile_expression(branch.text, resource_type)
                    others.append(_Rule(writer, expression, frozenset(branch.heads), parameter.is_added))
        for base, parts in self._parts(resource_type).items():
            inside: Tree = {}
            for part in parts:
                for key, type_name in part.leaves:
                    grow(inside, (*part.path, key), composite.part_writer(part, type_name, self._context))
            grow(tree, base, composite.writer("-".join(base), visit_of(inside)))
        main = self._registry.main_date(resource_type)
        main_date, stamp = main.code if main else "", self._registry.stamp(resource_type)
        return _Rules(visit_of(tree), visit_by_parts(tree), tuple(others), main_date, stamp)

    def _forget_changed(self) -> None:
        kept = {name: rules for name, rules in self._rules.items() if rules.stamp == self._registry.stamp(name)}
        self._revision, self._rules = self._registry.revision, kept
        # What they wrote by rules that have changed would stay with them.
        forget_parts()

    def _parts(self, resource_type: str) -> dict[tuple[str, ...], list[Part]]:
        """Returns the parts that composite parameters check together, each once, by the place of their repetition."""
        found: dict[tuple[str, ...], dict[tuple[Any, ...], Part]] = {}
        for parameter in self._registry.indexed(resource_type).values():
            for repetition in parameter.repetitions:
                for part in repetition.parts:
                    if not part.is_outer:
                        place = (part.parameter.code, part.path, part.leaves)
                        found.setdefault(repetition.base, {})[place] = part
        return {base: list(parts.values()) for base, parts in found.items()}


def _values(rule: _Rule, resource: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    if not rule.is_added:
        return evaluate(rule.expression, resource)
    try:
        return list(evaluate(rule.expression, resource))
    except InvalidContent:
        # A valid resource is stored whatever somebody's search parameter makes of it.
        return ()


def _draft_of(resource: dict[str, Any], rules: _Rules, contained: dict[str, dict[str, Any]]) -> Draft:
    draft = Draft(contained={id_: each["resourceType"] for id_, each in contained.items()})
    (rules.visit if contained else rules.visit_parts)(draft, resource)
    for rule in rules.others:
        if not rule.heads or not rule.heads.isdisjoint(resource):
            for type_name, value in _values(rule, resource):
                rule.writer(type_name)(draft, value)
    return draft


def _fill(document: dict[str, Any], draft: Draft) -> None:
    """Adds the fields that most resources have no entries for."""
    if draft.dates:
        document["d"] = draft.dates
    if draft.numbers:
        document["n"] = draft.numbers
    if draft.converted:
        document["q"] = draft.converted
    if draft.tuples:
        document["c"] = draft.tuples
    if draft.checks:
        document["x"] = draft.checks
    if draft.words:
        document["w"] = draft.words
    if draft.place:
        document["g"] = draft.place
    if draft.order:
        document["s"] = draft.order


def evaluate(expression: Expression, resource: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields (FHIR type, value) of what an expression finds; of an Extension, its value."""
    for type_name, value in expression.evaluate_typed(resource, Environment(resource=resource, root=resource)):
        if type_name == "Extension":
            yield from _extension_values(value)
        else:
            yield type_name, value


def _writers(parameter: SearchParameter, context: ValueContext) -> Callable[[str], Write]:
    """Returns what makes the writer of each FHIR type that a parameter yields, once."""

    @cache
    def writer(type_name: str) -> Write:
        if parameter.is_added and type_name not in INDEXABLE[parameter.type]:
            return write_nothing
        made: Write = TYPES[parameter.type].writer(parameter, type_name, context)
        return made

    return writer


def _extension_values(extension: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in extension.items():
        if key.startswith("value"):
            name = key[5:]
            yield (name if isinstance(value, dict) else name[0].lower() + name[1:]), value
