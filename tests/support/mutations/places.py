"""Every value of an instance, with what R4 and the profiles that its resource claims say about its element.

This reads the definitions by itself; what the validator makes of them is what it is there to check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.conformance import DefinitionRegistry, ElementNode
from fhir_server.conformance.element_tree import choice_name
from fhir_server.conformance.snapshot import children_of, referenced_element
from fhir_server.spec import primitives
from fhir_server.spec.definitions import resource_types

Path = tuple[str | int, ...]
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A value: where it stands in JSON and in FHIRPath, its element in R4, its type.

    `profiles` are what profiles say about the element, `slices` about the slices that the value may be of; `is_free` is
    True where no profile says anything about the element, about what holds it, or about what it holds. `resource` and
    `root` are the places of %resource and %rootResource.
    """

    path: Path
    expression: str
    node: ElementNode
    type_name: str
    value: Any
    profiles: tuple[ElementNode, ...] = ()
    is_free: bool = True
    parent: Place | None = None
    resource: Place | None = None
    root: Place | None = None

    @property
    def key(self) -> str:
        """The JSON name of the element; empty for the instance itself."""
        last = self.path[-1] if self.path else ""
        return str(self.path[-2]) if type(last) is int else str(last)

    @property
    def repeats(self) -> bool:
        return bool(self.path) and type(self.path[-1]) is int

    @property
    def element_path(self) -> Path:
        """Where all values of the element stand: the array, or the one value."""
        return self.path[:-1] if self.repeats else self.path

    @property
    def element_expression(self) -> str:
        return self.expression.rpartition("[")[0] if self.repeats else self.expression

    @property
    def defined_at(self) -> str:
        """The path of the element in R4's definitions: `HumanName.family`, `Patient.contact`."""
        return str(self.node.definition.get("path", self.node.name))


class Walker:
    """Yields the places of instances; what has not the JSON type of its element is left out."""

    def __init__(self, definitions: DefinitionRegistry) -> None:
        self.definitions = definitions

    def places(self, resource: JsonObject) -> Iterator[Place]:
        """Yields the instance itself, then each value in it, what holds it first."""
        yield from self._resource(resource, (), str(resource["resourceType"]), None, None)

    def children(self, place: Place) -> Mapping[str, ElementNode]:
        """Returns the elements of R4 that the value of a place can have, by name."""
        return self._children(place.node, place.type_name)

    def profile_children(self, place: Place, name: str) -> list[ElementNode]:
        """Returns what profiles say about one child of a place."""
        return [node.children[name] for node in place.profiles if node.children and name in node.children]

    def _children(self, node: ElementNode, type_name: str) -> Mapping[str, ElementNode]:
        if node.children is not None:
            return node.children
        if reference := node.definition.get("contentReference"):
            return children_of(referenced_element(reference, self.definitions), self.definitions)
        return self.definitions.type_tree(type_name).children or {}

    def _resource(
        self, value: JsonObject, path: Path, expression: str, parent: Place | None, root: Place | None
    ) -> Iterator[Place]:
        type_name = str(value["resourceType"])
        meta = value.get("meta")
        claimed = meta.get("profile") if type(meta) is dict else None
        known = [url for url in claimed if type(url) is str] if type(claimed) is list else []
        profiles = tuple(self.definitions.tree(url) for url in known if self._is_profile_of(url, type_name))
        node = self.definitions.type_tree(type_name)
        place = Place(path, expression, node, type_name, value, profiles, True, parent, None, root)
        yield place
        yield from self._object(place, place, root or place)

    def _object(self, place: Place, resource: Place, root: Place) -> Iterator[Place]:
        known = {
            (choice_name(name, code) if child.is_choice else name): (child, code)
            for name, child in self.children(place).items()
            for code in child.type_codes or ("",)
        }
        for key, value in place.value.items():
            if key not in known or f"_{key}" in place.value:
                continue
            child, code = known[key]
            if child.repeats is not (type(value) is list):
                continue
            step = f".{child.name[:-3]}" if child.is_choice else f".{key}"
            said = self.profile_children(place, child.name)
            for index, one in enumerate(value) if type(value) is list else ((None, value),):
                at = "" if index is None else f"[{index}]"
                where = (*place.path, key) if index is None else (*place.path, key, index)
                if (type(one) is dict) is (code in primitives.CHECKS) or type(one) is list:
                    continue
                if code == "Resource":
                    if str(one.get("resourceType")) not in resource_types():
                        continue
                    inner = root if key == "contained" else None
                    yield from self._resource(one, where, place.expression + step + at, place, inner)
                    continue
                speakers = [*said, *self._extension_definition(code, one)]
                free = (place.is_free or place is resource) and not any(
                    self._speaks(node, child, code) for node in speakers
                )
                nodes = tuple(found for node in speakers for found in (node, *slices_of(node, one, key)))
                type_name = "id" if key == "id" and place is resource else code
                found = Place(
                    where, place.expression + step + at, child, type_name, one, nodes, free, place, resource, root
                )
                yield found
                if type(one) is dict:
                    yield from self._object(found, resource, root)

    def _extension_definition(self, type_name: str, value: Any) -> list[ElementNode]:
        """Returns what the definition of an extension says about it, where that is known."""
        url = value.get("url") if type_name == "Extension" and type(value) is dict else None
        is_known = type(url) is str and url.startswith("http") and self._is_profile_of(url, "Extension")
        return [self.definitions.tree(str(url))] if is_known else []

    def _is_profile_of(self, canonical: str, type_name: str) -> bool:
        found = self.definitions.find(canonical) or {}
        return found.get("type") == type_name and "kind" in found

    def _speaks(self, said: ElementNode, known: ElementNode, type_name: str) -> bool:
        """Says whether a profile's node says more than R4's."""
        if said.definition is not known.definition or said.slices:
            return True
        children = self._children(known, type_name) if said.children else {}
        return any(
            name not in children or self._speaks(child, children[name], (child.type_codes or ("",))[0])
            for name, child in (said.children or {}).items()
        )


def slices_of(node: ElementNode, value: Any, key: str) -> Iterator[ElementNode]:
    """Yields the slices that a value is of, where values or patterns decide, or the type of a choice."""
    for part in node.slices.values():
        if node.is_choice:
            if any(choice_name(node.name, code) == key for code in part.type_codes):
                yield part
            continue
        wanted = discriminating(node, part)
        if wanted and all(fits(at(value, steps), constant) for steps, constant in wanted):
            yield part


def discriminating(node: ElementNode, part: ElementNode) -> list[tuple[list[str], Any]]:
    """Returns the paths that decide whether a value is of slice `part`, and what must be there."""
    found = []
    for each in node.definition.get("slicing", {}).get("discriminator", ()):
        steps = [] if each["path"] == "$this" else each["path"].split(".")
        inner: ElementNode | None = part
        for step in steps:
            inner = (inner.children or {}).get(step) if inner else None
        constant = stated_constant(inner.definition) if inner else None
        if constant is None and steps == ["url"] and part.type_profiles:
            constant = part.type_profiles[0]
        if constant is None:
            return []
        found.append((steps, constant))
    return found


def stated_constant(definition: Mapping[str, Any]) -> Any:
    """Returns the fixed value or the pattern of an element; None where it has none."""
    return next((v for k, v in definition.items() if k.startswith(("fixed", "pattern"))), None)


def at(value: Any, steps: Sequence[str]) -> Any:
    """Returns what stands below `value`, of arrays the first; None where nothing is."""
    for step in steps:
        value = value[0] if type(value) is list and value else value
        value = value.get(step) if type(value) is dict else None
    return value


def fits(value: Any, pattern: Any) -> bool:
    """Says whether a value holds all of a pattern."""
    if type(pattern) is dict:
        if type(value) is list:
            return any(fits(one, pattern) for one in value)
        return type(value) is dict and all(fits(value.get(name), inner) for name, inner in pattern.items())
    if type(pattern) is list:
        return type(value) is list and all(any(fits(one, wanted) for one in value) for wanted in pattern)
    return bool(value == pattern)


def changed(resource: JsonObject, path: Path, change: Callable[[Any, Any], object]) -> JsonObject:
    """Returns the instance after `change(container, key)`, where all on the way to the container is a copy."""
    top = dict(resource)
    node: Any = top
    for step in path[:-1]:
        inner = node[step]
        node[step] = list(inner) if type(inner) is list else dict(inner)
        node = node[step]
    change(node, path[-1])
    return top


def without(resource: JsonObject, path: Path) -> JsonObject:
    """Returns the instance without one value."""
    return changed(resource, path, lambda container, key: container.pop(key))


def with_value(resource: JsonObject, path: Path, value: Any) -> JsonObject:
    """Returns the instance with another value at a path, or one more."""

    def put(container: Any, key: Any) -> None:
        container[key] = value

    return changed(resource, path, put)
