"""What `_summary` and `_elements` leave of a resource, and the tag that tells it is not whole.

https://hl7.org/fhir/R4/search.html#summary and #elements. Mandatory elements always stay, and so does what may change
the meaning of all others: `implicitRules` and `modifierExtension`. Resources inside the resource stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.spec.definitions import resource_types, table
from fhir_server.spec.xml_shapes import Kind, Slot, shape

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
SUMMARIES = ("true", "text", "data", "count", "false")
_ALWAYS = frozenset({"id", "meta", "implicitRules", "modifierExtension"})


@dataclass(frozen=True, slots=True)
class Subset:
    """`summary` is true, text, data or empty; `elements` are the JSON names that `_elements` asks for, or none."""

    summary: str = ""
    elements: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """True where nothing is left out."""
        return not (self.summary or self.elements)

    def with_summary(self, value: str) -> Subset:
        """Returns this subset as `_summary=value` has it, which is none of counting.

        Raises InvalidContent for a value that R4 does not have, and beside `_elements`.
        """
        if value not in SUMMARIES:
            names = ", ".join(f"`{name}`" for name in SUMMARIES)
            raise InvalidContent(
                f"`_summary` must be one of {names}, not `{value}`.",
                f"`_summary` doit être l'un de {names}, et non `{value}`.",
                rule="parameter-summary",
            )
        return _single(replace(self, summary="" if value in ("false", "count") else value))

    def with_elements(self, value: str, types: Collection[str]) -> Subset:
        """Returns this subset as `_elements=value` has it; `types` are those that the answer may hold.

        Raises InvalidContent for a name that none of them has, and beside `_summary`.
        """
        names = [name.strip() for name in value.split(",") if name.strip()]
        keys: set[str] = set()
        for name in names:
            found = {key for each in types for key in _keys_of(each).get(name.removesuffix("[x]"), ())}
            if not found:
                raise _unknown_element(name, types)
            keys |= found
        if not keys:
            raise _unknown_element(value, types)
        return _single(replace(self, elements=self.elements | keys))

    def of(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what is left of `resource`, tagged as subsetted; itself, copied, where nothing is left out."""
        if self.is_whole:
            return dict(resource)
        resource_type = resource["resourceType"]
        if self.summary == "data":
            left = {name: value for name, value in resource.items() if name != "text"}
        elif self.summary == "true":
            left = _summary(resource, resource_type)
        else:
            kept = _ALWAYS | _mandatory(resource_type) | (self.elements or {"text"})
            left = {name: value for name, value in resource.items() if name.removeprefix("_") in kept}
        return {"resourceType": resource_type, **({"id": resource["id"]} if "id" in resource else {}), **_tagged(left)}


WHOLE = Subset()


def subset_of_read(query: Iterable[tuple[str, str]], types: Collection[str]) -> Subset:
    """Returns the subset that `_summary` and `_elements` of a read or a history ask for.

    Raises InvalidContent as `with_summary` and `with_elements` do, and for `_summary=count`, which is for searches.
    """
    subset = WHOLE
    for name, value in query:
        if (name, value) == ("_summary", "count"):
            raise InvalidContent(
                "`_summary=count` counts the matches of a search; here it is `true`, `text`, `data` or `false`.",
                "`_summary=count` compte les réponses d'une recherche ; ici, c'est `true`, `text`, `data` ou `false`.",
                rule="parameter-summary",
            )
        if name == "_summary":
            subset = subset.with_summary(value)
        elif name == "_elements":
            subset = subset.with_elements(value, types)
    return subset


def is_subsetted(resource: Mapping[str, Any]) -> bool:
    """True where the resource says of itself that it is not whole."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return isinstance(tags, list) and any(_is_tag(tag) for tag in tags)


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, dict) and all(tag.get(name) == value for name, value in SUBSETTED.items())


def _tagged(resource: Mapping[str, Any]) -> dict[str, Any]:
    if is_subsetted(resource):
        return dict(resource)
    meta = resource.get("meta", {})
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")}
    return {"meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}, **rest}


def _single(subset: Subset) -> Subset:
    if subset.summary and subset.elements:
        raise InvalidContent(
            "`_summary` and `_elements` each choose elements; give one of them.",
            "`_summary` et `_elements` choisissent chacun des éléments ; donnez l'un des deux.",
            rule="parameter-subset",
        )
    return subset


def _unknown_element(name: str, types: Collection[str]) -> InvalidContent:
    if len(types) == 1:
        [resource_type] = types
        valid = ", ".join(f"`{known}`" for known in _names(resource_type))
        having, ayant = f"has {valid}", f"a {valid}"
    else:
        resource_type, having, ayant = "the resources", "have none of that name", "n'en ont pas de ce nom"
    shown, montre = (resource_type, resource_type) if len(types) == 1 else ("the resources", "les ressources")
    return InvalidContent(
        f"`_elements` takes names of top-level elements, separated by commas; `{name}` is none: {shown} {having}.",
        f"`_elements` attend des noms d'éléments de premier niveau, séparés par des virgules, pas `{name}` :"
        f" {montre} {ayant}.",
        rule="parameter-elements",
    )


@cache
def _definitions() -> dict[str, dict[str, dict[str, Any]]]:
    """Returns the definition of each element by the path of its parent and its name, `value` for `value[x]`."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table("structure_definitions"):
        if row.get("snapshot") and row["kind"] != "logical" and row.get("derivation") != "constraint":
            for element in row["snapshot"]["element"]:
                parent, _, name = element["path"].rpartition(".")
                if parent:
                    found.setdefault(parent, {})[name.removesuffix("[x]")] = element
    return found


@cache
def _keys_of(resource_type: str) -> dict[str, Sequence[str]]:
    """Returns the JSON names by the names that `_elements` may have: `value` and `valueQuantity`."""
    keys: dict[str, list[str]] = {}
    for name, slot in shape(resource_type).properties.items():
        if name == slot.key:
            keys.setdefault(slot.step, []).append(name)
    return {**{key: [key] for names in keys.values() for key in names}, **keys}


def _names(resource_type: str) -> list[str]:
    return list(_definitions()[resource_type])


@cache
def _mandatory(resource_type: str) -> frozenset[str]:
    return frozenset(
        key
        for name, element in _definitions()[resource_type].items()
        if element.get("min")
        for key in _keys_of(resource_type)[name]
    )


@cache
def _summary_slots(type_name: str) -> dict[str, Slot]:
    """Returns what a summary keeps of a type or a part of one, by JSON name."""
    definitions = _definitions()[type_name]
    return {
        name: slot
        for name, slot in shape(type_name).properties.items()
        if name == slot.key
        and (
            (element := definitions[slot.step]).get("isSummary")
            or element.get("min")
            or slot.step in ("modifierExtension", "implicitRules")
            or (slot.step == "id" and type_name in resource_types())
        )
    }


def _summary(node: Mapping[str, Any], type_name: str) -> dict[str, Any]:
    """Returns the summary of an element; extensions stay only where they stand for its content."""
    slots = _summary_slots(type_name)
    left: dict[str, Any] = {}
    for name, value in node.items():
        slot = slots.get(name.removeprefix("_"))
        if slot is None:
            continue
        if name[0] == "_":
            beside = node.get(slot.key)
            if beside is None or (isinstance(beside, list) and None in beside):
                left[name] = value
        elif slot.kind is Kind.COMPLEX and slot.type_name != "Extension":
            left[name] = (
                [_summary_item(item, slot.type_name) for item in value]
                if isinstance(value, list)
                else _summary_item(value, slot.type_name)
            )
        else:
            left[name] = value
    return left


def _summary_item(item: Any, type_name: str) -> Any:
    return _summary(item, type_name) or item if isinstance(item, dict) else item
