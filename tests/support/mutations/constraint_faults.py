"""Faults against constraints, found by trying: a change that R4's structure allows, after which one constraint fails.

The FHIRPath interpreter says which, so these hold the validator's twins and compiled source to it as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_server.conformance import DefinitionRegistry, ElementNode
from fhir_server.conformance.element_tree import choice_name
from fhir_server.spec import primitives
from fhir_server.spec.definitions import resource_types
from fhir_server.terminology import Terminology
from tests.support.mutations.constraints import broken_constraints, constraints, words
from tests.support.mutations.mutation import Fault, at_least_two
from tests.support.mutations.places import JsonObject, Place, Walker, with_value, without
from tests.support.mutations.profile_rules import SAMPLES, is_steady

OTHERS: Mapping[str, tuple[Any, ...]] = {
    "string": ("x y-1",),
    "uri": ("http://example.org/x#y", "#x", "urn:x"),
    "canonical": ("http://example.org/x",),
    "date": ("1800-01-01", "2999-01-01"),
    "dateTime": ("1800-01-01", "2999-01-01"),
    "integer": (-1, 0, 1000),
    "positiveInt": (1, 1000),
    "unsignedInt": (0, 1000),
    "decimal": (Decimal(-1), Decimal(1000)),
    "boolean": (True, False),
}
"""Other values of a type, of which one may break a constraint."""
DECISIVE = frozenset({"Bundle.type", *(f"{name}.meta" for name in resource_types())})
"""Elements that decide what else is asked: the type of a Bundle, and the profiles in `meta`."""


class ConstraintFaults:
    """Tries changes until each constraint has been broken once; `broken` are the keys that have."""

    def __init__(self, definitions: DefinitionRegistry) -> None:
        self.broken: set[str] = set()
        self._terminology = Terminology(definitions)

    def make(self, walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
        """Yields faults that change one element of an object."""
        if type(place.value) is not dict or place.key == "meta" or not is_steady(place) or _is_bound(place):
            return
        mentioned = self._mentioned(walker, place)
        for name, child in walker.children(place).items() if mentioned else ():
            if name.removesuffix("[x]") not in mentioned or f"{place.type_name}.{name}" in DECISIVE:
                continue
            said = [node for node in walker.profile_children(place, name) if node.definition is not child.definition]
            if any(node.minimum or node.slices or "binding" in node.definition for node in said):
                continue
            for variant, changed in self._changes(walker, place, name, child, resource):
                yield from self._judged(walker, place, changed, variant)

    def _mentioned(self, walker: Walker, place: Place) -> frozenset[str]:
        """Returns the words of the constraints around a place that nothing has broken yet."""
        found: set[str] = set()
        current: Place | None = place
        while current is not None:
            for entry in constraints(walker, current):
                if entry["key"] not in self.broken:
                    found.update(words(entry["expression"]))
            current = current.parent
        return frozenset(found)

    def _changes(
        self, walker: Walker, place: Place, name: str, child: ElementNode, resource: JsonObject
    ) -> Iterator[tuple[str, JsonObject]]:
        keys = [choice_name(name, code) for code in child.type_codes] if child.is_choice else [name]
        there = [key for key in keys if key in place.value and f"_{key}" not in place.value]
        for key in there:
            path = (*place.path, key)
            value = place.value[key]
            if not child.minimum and at_least_two(place.value):
                yield f"without {key}", without(resource, path)
            if child.repeats:
                yield f"twice {key}", with_value(resource, path, [*value, value[0]])
            else:
                code = next(
                    (code for code in child.type_codes if key in (name, choice_name(f"{name[:-3]}[x]", code))), ""
                )
                for other in self._others(child, code):
                    if other != value:
                        yield f"{key} {other}", with_value(resource, path, other)
        if not there:
            for code, key in zip(child.type_codes, keys, strict=False):
                for sample in self._samples(walker, child, code):
                    value = [sample] if child.repeats else sample
                    yield f"with {key} {sample}", with_value(resource, (*place.path, key), value)

    def _samples(self, walker: Walker, child: ElementNode, code: str) -> Iterator[Any]:
        """Yields values of a type for an element that is not there yet."""
        if code in SAMPLES and code != "code":
            yield SAMPLES[code]
        elif code in primitives.CHECKS:
            yield from self._others(child, code)
        elif code not in ("Resource", "Extension", ""):
            sample = self._least(walker, child, code, 3)
            if sample:
                yield sample

    def _least(self, walker: Walker, node: ElementNode, code: str, depth: int) -> JsonObject | None:
        """Returns the least object of a type: what it requires, or else its first elements that have a sample."""
        found: JsonObject = {}
        children = node.children or walker.definitions.type_tree(code).children or {}
        for name, child in children.items() if depth else ():
            codes = [code for code in child.type_codes if code != "Extension"]
            if name == "id" or not codes or (found and not child.minimum):
                continue
            key = choice_name(name, codes[0]) if child.is_choice else name
            if codes[0] in primitives.CHECKS:
                is_bound = codes[0] == "code" or (codes[0] in ("uri", "string") and "binding" in child.definition)
                sample: Any = next(iter(self._codes(child)), None) if is_bound else None
                sample = sample or SAMPLES.get(codes[0])
            else:
                sample = SAMPLES.get(codes[0]) or self._least(walker, child, codes[0], depth - 1)
            if sample is not None:
                found[key] = [sample] if child.repeats else sample
            elif child.minimum:
                return None
        return found or None

    def _others(self, child: ElementNode, code: str) -> tuple[Any, ...]:
        return self._codes(child) if code == "code" else OTHERS.get(code, ())

    def _codes(self, child: ElementNode) -> tuple[Any, ...]:
        """Returns codes that an element is bound to; of systems that nobody lists, one."""
        value_set = child.definition.get("binding", {}).get("valueSet", "")
        for name, code in (("mimetypes", "text/plain"), ("languages", "fr")):
            if name in value_set:
                return (code,)
        code_set = self._terminology.codes(value_set) if value_set else None
        return tuple(code_set.ordered_codes)[:40] if code_set is not None else ("x",)

    def _judged(self, walker: Walker, place: Place, changed: JsonObject, variant: str) -> Iterator[Fault]:
        found = broken_constraints(walker, place, changed)
        if len(found) != 1 or found[0][0][0] in self.broken:
            return
        ((rule, expression), severity) = found[0]
        self.broken.add(rule)
        yield Fault(changed, rule, expression, f"{rule} {place.defined_at} {variant:.40}", place, severity)


def _is_bound(place: Place) -> bool:
    """Says whether a place is, or is part of, what a value set or a profile's binding has something to say about."""
    current: Place | None = place
    while current is not None and current is not place.resource:
        bindings = [node.definition.get("binding", {}) for node in (current.node, *current.profiles)]
        if any(binding.get("strength") in ("required", "extensible") for binding in bindings):
            return True
        current = current.parent
    return False
