"""Faults of structure: what is missing, too much, unknown, or of the wrong JSON shape. https://hl7.org/fhir/R4/json.html"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.conformance.element_tree import choice_name
from fhir_server.spec import primitives
from tests.support.mutations.mutation import Fault, Maker, at_least_two
from tests.support.mutations.places import JsonObject, Place, Walker, with_value, without

EMPTY: Mapping[str, Any] = {}


def is_primitive(place: Place) -> bool:
    return place.type_name in primitives.CHECKS and place.type_name != "xhtml"


def required_absent(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element that R4 requires is taken away."""
    if not place.is_free or place.repeats or not place.node.minimum or place.parent is None:
        return
    if at_least_two(place.parent.value) or place.parent is place.resource:
        expression = place.element_expression
        yield Fault(without(resource, place.path), "cardinality-min", expression, place.defined_at, place.parent)


def required_array_absent(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A repeating element that R4 requires is taken away."""
    if place.is_free and place.repeats and place.node.minimum and place.parent and at_least_two(place.parent.value):
        broken = without(resource, place.element_path)
        yield Fault(broken, "cardinality-min", place.element_expression, place.defined_at, place.parent)


def unknown_element(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An object has an element that its type does not define."""
    if type(place.value) is dict:
        broken = with_value(resource, (*place.path, "colour"), "green")
        yield Fault(broken, "unknown-element", f"{place.expression}.colour", place.defined_at)


def misspelt_element(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """The name of an element that may be absent is written with a capital."""
    if not place.is_free or place.repeats or place.node.minimum or place.parent is None or place.node.is_choice:
        return
    name = place.key[0].upper() + place.key[1:]
    broken = with_value(without(resource, place.path), (*place.path[:-1], name), place.value)
    yield Fault(broken, "unknown-element", f"{place.parent.expression}.{name}", place.defined_at, place.parent)


def array_for_one(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element that has one value is an array."""
    if place.is_free and place.parent is not None and not place.repeats and place.key not in ("resource", "div"):
        yield Fault(with_value(resource, place.path, [place.value]), "json-shape", place.expression, place.defined_at)


def one_for_array(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element that repeats is one value."""
    if place.is_free and place.repeats:
        broken = with_value(resource, place.element_path, place.value)
        yield Fault(broken, "json-shape", place.element_expression, place.defined_at)


def text_for_object(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A complex type is a string."""
    if place.is_free and type(place.value) is dict and place.parent is not None:
        yield Fault(with_value(resource, place.path, "x"), "json-shape", place.expression, place.defined_at)


def object_for_primitive(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A primitive is an object, as XML has it."""
    if place.is_free and is_primitive(place) and place.parent is not None:
        broken = with_value(resource, place.path, {"value": place.value})
        yield Fault(broken, "json-shape", place.expression, place.defined_at)


def null_value(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A value is null."""
    if place.is_free and place.parent is not None and place.key != "resource":
        yield Fault(with_value(resource, place.path, None), "null-value", place.expression, place.defined_at)


def empty_object(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An object holds nothing; required elements that it no longer has are not named one by one."""
    children = walker.children(place) if type(place.value) is dict else {}
    is_part = place.is_free and place.parent is not None and bool(children) and place.type_name != "Extension"
    if is_part and "resourceType" not in place.value and not any(child.minimum for child in children.values()):
        yield Fault(with_value(resource, place.path, {}), "empty-object", place.expression, place.defined_at)


def empty_array(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An array holds nothing."""
    if place.is_free and place.repeats:
        broken = with_value(resource, place.element_path, [])
        yield Fault(broken, "empty-array", place.element_expression, place.defined_at)


def empty_text(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A string is empty."""
    if place.is_free and place.type_name in ("string", "markdown", "uri", "id", "date", "dateTime"):
        yield Fault(with_value(resource, place.path, ""), "empty-string", place.expression, place.defined_at)


def id_alone(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """An element has an id and nothing else (ele-1)."""
    if not place.is_free or type(place.value) is not dict or place.parent is None or "resourceType" in place.value:
        return
    if place.type_name != "Extension" and not any(child.minimum for child in walker.children(place).values()):
        yield Fault(with_value(resource, place.path, {"id": "a"}), "ele-1", place.expression, place.defined_at)


def wrong_choice(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A choice has a type that is none of its own."""
    if not place.is_free or not place.node.is_choice or place.parent is None or place.node.minimum:
        return
    other = next((code for code in ("Money", "Timing", "base64Binary") if code not in place.node.type_codes), None)
    if other is not None:
        name = choice_name(place.node.name, other)
        broken = with_value(without(resource, place.path), (*place.path[:-1], name), "x")
        yield Fault(broken, "choice-type", f"{place.parent.expression}.{name}", place.defined_at, place.parent)


def two_choices(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A choice has two types at once."""
    if not place.is_free or not place.node.is_choice or place.type_name == "Reference":
        return
    samples = {"string": "x", "boolean": True, "dateTime": "2024", "integer": 1, "CodeableConcept": {"text": "x"}}
    other = next((code for code in place.node.type_codes if code in samples and code != place.type_name), None)
    if other is not None:
        path = (*place.path[:-1], choice_name(place.node.name, other))
        broken = with_value(resource, path, samples[other])
        yield Fault(broken, "choice-multiple", place.expression, place.defined_at, place.parent)


def misaligned(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """Beside an array of primitives stands one of another length."""
    if place.is_free and place.repeats and is_primitive(place) and place.path[-1] == 0 and place.parent is not None:
        count = len([key for key in place.parent.value[place.key]])
        beside = [{"extension": [{"url": "http://example.org/x", "valueString": "x"}]}] * (count + 1)
        broken = with_value(resource, (*place.path[:-2], f"_{place.key}"), beside)
        yield Fault(broken, "primitive-array-misaligned", place.element_expression, place.defined_at)


def unknown_resource(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A resource inside another one is of no type that R4 has."""
    if place.parent is None or place.parent.profiles or type(place.value) is not dict:
        return
    if place.key in ("contained", "resource") and "resourceType" in place.value:
        broken = with_value(resource, (*place.path, "resourceType"), "Devise")
        yield Fault(broken, "resource-type-unknown", place.expression, f"{place.defined_at} in {place.key}")


MAKERS: dict[str, Maker] = {
    "required element absent": required_absent,
    "required array absent": required_array_absent,
    "unknown element": unknown_element,
    "misspelt element": misspelt_element,
    "array for one value": array_for_one,
    "one value for an array": one_for_array,
    "text for an object": text_for_object,
    "object for a primitive": object_for_primitive,
    "null": null_value,
    "empty object": empty_object,
    "empty array": empty_array,
    "empty text": empty_text,
    "id alone": id_alone,
    "wrong type of a choice": wrong_choice,
    "two types of a choice": two_choices,
    "misaligned extensions of primitives": misaligned,
    "unknown resource type": unknown_resource,
}
