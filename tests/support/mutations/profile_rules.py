"""Faults against profiles: what they require, limit, fix, slice and bind beyond R4. https://hl7.org/fhir/R4/profiling.html"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.conformance import ElementNode
from fhir_server.conformance.element_tree import choice_name
from fhir_server.spec import primitives
from fhir_server.spec.definitions import resource_types
from tests.support.mutations.constraints import value_at
from tests.support.mutations.mutation import Fault, Maker, at_least_two
from tests.support.mutations.places import (
    JsonObject,
    Place,
    Walker,
    discriminating,
    slices_of,
    stated_constant,
    with_value,
    without,
)

SAMPLES: Mapping[str, Any] = {
    "boolean": True,
    "integer": 1,
    "positiveInt": 1,
    "unsignedInt": 1,
    "string": "x",
    "markdown": "x",
    "code": "x",
    "uri": "http://example.org/x",
    "date": "2024-01-01",
    "dateTime": "2024-01-01",
    "instant": "2024-01-01T00:00:00Z",
    "CodeableConcept": {"text": "x"},
    "Annotation": {"text": "x"},
    "Identifier": {"value": "x"},
    "Period": {"start": "2024-01-01"},
    "HumanName": {"text": "x"},
    "Quantity": {"value": 1},
    "Reference": {"display": "x"},
}
"""A value of each type that says little."""
OTHER_CODES = {"CarePlan.intent": "order", "Money.currency": "USD"}
"""A code of R4's value set that is not the one that our profile asks for, where `unknown` is none."""


def is_steady(place: Place) -> bool:
    """Says whether no slice and no pattern around a place depends on what it holds."""
    current: Place | None = place
    while current is not None and current is not place.resource:
        if any(node.slice_name or stated_constant(node.definition) is not None for node in current.profiles):
            return False
        current = current.parent
    return not any(node.slices for node in place.profiles)


def said_here(place: Place) -> Iterator[ElementNode]:
    """Yields what profiles say about a place that stands outside slices and patterns."""
    if is_steady(place):
        yield from place.profiles


def required_by_profile(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element that only a profile requires is taken away."""
    if place.parent is None or place.node.minimum or not at_least_two(place.parent.value):
        return
    if any(node.minimum for node in said_here(place)):
        broken = without(resource, place.element_path)
        variant = f"{place.resource.value['meta']['profile'][0]} {place.element_expression}" if place.resource else ""
        yield Fault(broken, "cardinality-min", place.element_expression, variant, place.parent)


def forbidden_by_profile(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element that a profile does not allow is there."""
    if type(place.value) is not dict or not is_steady(place):
        return
    for profile in place.profiles:
        for name, node in (profile.children or {}).items():
            known = walker.children(place).get(name)
            sample = SAMPLES.get(node.type_codes[0]) if node.type_codes else None
            if known is None or known.maximum == 0 or node.maximum != 0 or node.is_choice or sample is None:
                continue
            broken = with_value(resource, (*place.path, name), [sample] if node.repeats else sample)
            yield Fault(broken, "cardinality-max", f"{place.expression}.{name}", f"{place.defined_at}.{name}", place)


def type_of_choice(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A choice has a type that R4 allows and a profile does not."""
    if not place.node.is_choice or place.parent is None:
        return
    for profile in said_here(place):
        other = [code for code in place.node.type_codes if code not in profile.type_codes and code in SAMPLES]
        if other:
            path = (*place.path[:-1], choice_name(place.node.name, other[0]))
            broken = with_value(without(resource, place.path), path, SAMPLES[other[0]])
            yield Fault(broken, "choice-type", place.expression, f"{place.defined_at} {other[0]}", place.parent)


def too_many_for_profile(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An array has more values than a profile allows."""
    if not place.repeats or place.path[-1] != 0:
        return
    for profile in said_here(place):
        if profile.maximum and place.node.maximum is None:
            broken = with_value(resource, place.element_path, [place.value] * (profile.maximum + 1))
            variant = f"{profile.definition.get('path')} {place.element_expression}"
            yield Fault(broken, "cardinality-max", place.element_expression, variant, place.parent)


def other_constant(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A value is not the one that a profile fixes, or does not hold its pattern."""
    if place.parent is not None and not is_steady(place.parent):
        return
    for profile in place.profiles:
        for name, constant in profile.definition.items():
            if not name.startswith(("fixed", "pattern")) or profile.slice_name or profile.slices:
                continue
            rule = "fixed-value" if name.startswith("fixed") else "pattern-value"
            if type(place.value) is dict and place.type_name == "CodeableConcept":
                broken = with_value(resource, place.path, {"text": "x"})
            elif type(place.value) is str:
                other = OTHER_CODES.get(place.defined_at, "unknown") if place.type_name == "code" else SAMPLES["uri"]
                broken = with_value(resource, place.path, other)
            else:
                continue
            yield Fault(broken, rule, place.expression, f"{place.expression} {constant}", place)


def slice_absent(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A slice that a profile requires has no member; where no value is left, the element itself is missing."""
    if not place.repeats or place.parent is None or place.path[-1] != 0 or not _holds_still(place.parent):
        return
    values = value_at(resource, place.element_path)
    for profile in place.profiles:
        for part in profile.slices.values():
            rest = [one for one in values if part not in slices_of(profile, one, place.key)]
            if not part.minimum or len(rest) == len(values) or not discriminating(profile, part):
                continue
            if rest:
                broken = with_value(resource, place.element_path, rest)
            elif at_least_two(place.parent.value) and not place.node.minimum:
                broken = without(resource, place.element_path)
            else:
                continue
            rule = "cardinality-min" if not rest and profile.minimum else "slice-min"
            yield Fault(broken, rule, place.element_expression, f"{_claimed(place)} {part.slice_name}", place.parent)


def slice_repeated(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A slice has more members than a profile allows."""
    if not place.repeats or place.parent is None or place.path[-1] != 0 or not _holds_still(place.parent):
        return
    values = value_at(resource, place.element_path)
    for profile in place.profiles:
        for part in profile.slices.values():
            members = [one for one in values if part in slices_of(profile, one, place.key)]
            if not members or not part.maximum or (profile.maximum or 99) <= len(values):
                continue
            position = next(index for index, one in enumerate(values) if one is members[0])
            more = [members[0]] * (part.maximum + 1 - len(members))
            broken = with_value(resource, place.element_path, [*values[:position], *more, *values[position:]])
            variant = f"{_claimed(place)} {part.slice_name}"
            yield Fault(broken, "slice-max", place.element_expression, variant, place.parent)


def required_in_slice(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element that a profile requires in the members of a slice is taken away."""
    if type(place.value) is not dict or place.parent is None or not _holds_still(place.parent):
        return
    for profile in place.profiles:
        whole = next((each for each in place.profiles if profile in each.slices.values()), None)
        if not profile.slice_name or whole is None:
            continue
        deciding = {steps[0] if steps else "" for steps, _ in discriminating(whole, profile)}
        for name, node in (profile.children or {}).items():
            known = walker.children(place).get(name)
            if place.type_name == "Extension" and name in ("extension", "value[x]"):
                continue  # ext-1 would be broken too
            is_due = node.minimum and known is not None and not known.minimum and name in place.value
            if is_due and name not in deciding and "" not in deciding and at_least_two(place.value):
                broken = without(resource, (*place.path, name))
                variant = f"{_claimed(place)} {profile.slice_name} {name}"
                yield Fault(broken, "cardinality-min", f"{place.expression}.{name}", variant, place)


def code_for_profile(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A code is in no value set that a profile binds the element to: an error where it requires, else a warning."""
    if place.type_name not in ("CodeableConcept", "Coding", "code"):
        return
    for profile in said_here(place):
        binding, known = profile.definition.get("binding", {}), place.node.definition.get("binding", {})
        strength = binding.get("strength")
        if binding == known or strength not in ("required", "extensible") or known.get("strength") == "extensible":
            continue
        if place.type_name == "code":
            continue  # the codes that R4 itself requires are another kind
        other = {"system": "http://example.org/codes", "code": "no-such-code"}
        broken = with_value(resource, place.path, {"coding": [other]} if place.type_name[4:5] == "a" else other)
        severity = "error" if strength == "required" else "warning"
        variant = f"{_claimed(place)} {place.element_expression}"
        yield Fault(broken, f"binding-{strength}", place.expression, variant, place, severity)


def target_for_profile(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A reference points to a type that R4 allows and a profile does not."""
    if place.type_name != "Reference":
        return
    for profile in said_here(place):
        allowed, known = _targets(walker, profile), _targets(walker, place.node)
        others = sorted((known if "Resource" not in known else set(resource_types())) - allowed - {"Resource"})
        if allowed and others and "Resource" not in allowed:
            broken = with_value(resource, place.path, {"reference": f"{others[0]}/1"})
            variant = f"{_claimed(place)} {place.element_expression}"
            yield Fault(broken, "reference-target-type", place.expression, variant, place)


def profile_of_other_type(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A resource claims a profile of another type."""
    if place.defined_at == "Meta.profile" and place.parent is not None and place.path[-1] == 0:
        other = "vitalsigns" if "Observation" not in place.expression and place.resource else "heartrate"
        if place.resource is None or place.resource.type_name == "Observation":
            return
        added = [*value_at(resource, place.element_path), f"http://hl7.org/fhir/StructureDefinition/{other}"]
        broken = with_value(resource, place.element_path, added)
        yield Fault(broken, "profile-type", place.resource.expression, place.resource.type_name)


def _holds_still(place: Place) -> bool:
    """Says whether nothing that a place stands in is of a slice, so that what is inside decides about no slice."""
    current: Place | None = place
    while current is not None and current.type_name not in primitives.CHECKS:
        if any(node.slice_name for node in current.profiles):
            return False
        current = current.parent
    return True


def _claimed(place: Place) -> str:
    claimed = place.resource.value.get("meta", {}).get("profile", [""]) if place.resource else [""]
    return str(claimed[0]).rpartition("/")[2]


def _targets(walker: Walker, node: ElementNode) -> set[str]:
    urls = [url for each in node.definition.get("type", ()) for url in each.get("targetProfile", ())]
    return {str((walker.definitions.find(url) or {}).get("type")) for url in urls}


MAKERS: dict[str, Maker] = {
    "profile: required element absent": required_by_profile,
    "profile: forbidden element": forbidden_by_profile,
    "profile: type of a choice": type_of_choice,
    "profile: too many values": too_many_for_profile,
    "profile: other than fixed or pattern": other_constant,
    "profile: slice absent": slice_absent,
    "profile: slice repeated": slice_repeated,
    "profile: required in a slice": required_in_slice,
    "profile: code outside a binding": code_for_profile,
    "profile: reference to a wrong type": target_for_profile,
    "profile: of another type": profile_of_other_type,
}
