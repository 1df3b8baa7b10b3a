"""Faults of values: primitives of each type, codes of required bindings, targets of references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_server.spec.definitions import resource_types
from tests.support.mutations.mutation import Fault, Maker
from tests.support.mutations.places import JsonObject, Place, Walker, with_value

WRONG: Mapping[str, tuple[Any, ...]] = {
    "base64Binary": ("Zm9", "Zm9v=", 7),
    "boolean": ("true", 1, "oui"),
    "canonical": ("http://example.org/a b", 7),
    "code": (" a", "a  b", 7),
    "date": ("2024-02-30", "2024-13", "29/02/2024", "2024-01-01T10:00:00Z", 2024),
    "dateTime": ("2024-01-01T10:00:00", "2024-01-01T25:00:00Z", "2024-1-1", "2023-02-29", 2024),
    "decimal": ("1.50", True, "x"),
    "id": ("a_b", "a" * 65, 7),
    "instant": ("2024-01-01T10:00Z", "2024-01-01", 1704067200),
    "integer": (Decimal("1.5"), "1", 2_147_483_648, True),
    "markdown": (7, "a\u0000b", True),
    "oid": ("1.2.3", "urn:oid:1.02", 7),
    "positiveInt": (0, -1, Decimal("1.0"), "1"),
    "string": (7, "a\u0007b", True),
    "time": ("24:00:00", "10:00", "10:00:00Z", 10),
    "unsignedInt": (-1, Decimal("0.5"), "0"),
    "uri": ("a b", 7),
    "url": ("http://example.org/a b", 7),
    "uuid": ("urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "c757873d-ec9a-4326-a141-556f43239520", 7),
}
"""Values that each primitive of R4 refuses; `xhtml`, the twentieth, has its own kind."""


def wrong_primitive(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A primitive is no value of its type."""
    if not place.is_free or place.parent is None or place.type_name not in WRONG or place.key == "resourceType":
        return
    if place.defined_at == "Meta.profile":
        return  # the profile that it no longer names would be missed too
    for wrong in WRONG[place.type_name]:
        # A code of a value set that is no code at all would break two rules at once.
        if type(wrong) is str and place.type_name in ("code", "string", "uri") and is_of_binding(place):
            continue
        broken = with_value(resource, place.path, wrong)
        variant = f"{place.type_name} {wrong!r:.40}"
        yield Fault(broken, f"primitive-{place.type_name.lower()}", place.expression, variant)


def is_of_binding(place: Place) -> bool:
    """Says whether a place, or the concept that it is a code of, is bound to a value set."""
    current: Place | None = place
    for _ in range(3):
        if current is not None and any("binding" in node.definition for node in (current.node, *current.profiles)):
            return True
        current = current.parent if current is not None else None
    return False


def wrong_code(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A code is not in the value set that R4 requires."""
    binding = place.node.definition.get("binding", {})
    if not place.is_free or binding.get("strength") != "required" or binding.get("valueSet") in OPEN_SETS:
        return
    if place.type_name == "code":
        yield Fault(
            with_value(resource, place.path, "no-such-code"), "binding-required", place.expression, place.defined_at
        )
    elif place.type_name == "CodeableConcept" and len(place.value.get("coding", ())) == 1:
        broken = with_value(resource, (*place.path, "coding", 0, "code"), "no-such-code")
        yield Fault(broken, "binding-required", place.expression, place.defined_at, place)
    elif place.type_name == "Coding":
        broken = with_value(resource, (*place.path, "code"), "no-such-code")
        yield Fault(broken, "binding-required", place.expression, place.defined_at, place)


OPEN_SETS = frozenset(
    {
        "http://hl7.org/fhir/ValueSet/mimetypes|4.0.1",
        "http://hl7.org/fhir/ValueSet/languages|4.0.1",
        "http://hl7.org/fhir/ValueSet/all-languages|4.0.1",
        "http://hl7.org/fhir/ValueSet/units-of-time|4.0.1",
    }
)
"""Value sets that no list enumerates; `terminology.py` has the faults against them."""


def wrong_target(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A reference points to a type that the element does not allow."""
    if not place.is_free or place.type_name != "Reference":
        return
    entries = [each for each in place.node.definition["type"] if each["code"] == "Reference"]
    allowed = {url.rpartition("/")[2] for each in entries for url in each.get("targetProfile", ())}
    if not allowed or allowed & {"Resource", "DomainResource", "Any"}:
        return
    other = next(name for name in ("Basic", "Linkage", *sorted(resource_types())) if name not in allowed)
    broken = with_value(resource, place.path, {"reference": f"{other}/1"})
    yield Fault(broken, "reference-target-type", place.expression, place.defined_at, place)
    stated = with_value(resource, place.path, {"type": other, "display": "x"})
    yield Fault(stated, "reference-target-type", place.expression, f"{place.defined_at} by type", place)


def unlike_type(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """`Reference.type` says another type than the literal reference."""
    literal = place.value.get("reference", "") if place.type_name == "Reference" else ""
    head, slash, id_ = literal.partition("/")
    if place.is_free and slash and head in resource_types() and "/" not in id_:
        broken = with_value(resource, (*place.path, "type"), "Basic" if head != "Basic" else "Group")
        yield Fault(broken, "reference-type-differs", f"{place.expression}.type", place.defined_at, place)


def contained_missing(walker: Walker, place: Place, resource: JsonObject) -> Iterator[Fault]:
    """A reference points to a contained resource that is not there (ref-1)."""
    if place.is_free and place.type_name == "Reference" and not str(place.value.get("reference", "#")).startswith("#"):
        broken = with_value(resource, place.path, {"reference": "#nobody"})
        yield Fault(broken, "ref-1", place.expression, place.defined_at, None)


MAKERS: dict[str, Maker] = {
    "wrong primitive": wrong_primitive,
    "code outside a required binding": wrong_code,
    "reference to a wrong type": wrong_target,
    "reference and its type differ": unlike_type,
    "contained resource missing": contained_missing,
}
