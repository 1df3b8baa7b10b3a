"""The elements of a StructureDefinition as a tree. https://hl7.org/fhir/R4/elementdefinition.html

A node that was never walked into has `children` None: its children are those of its type. So a profile's tree holds
only what the profile says, over the inline children of its base.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ElementNode:
    """One element, or one slice of it.

    `name` is the last part of the path (`value[x]`), `definition` the ElementDefinition's facts (a constant: replace
    it, never change it); slices are by name, slices of slices by their full name (`a/b`) inside slice `a`.
    """

    name: str
    definition: dict[str, Any]
    slice_name: str = ""
    children: dict[str, ElementNode] | None = None
    slices: dict[str, ElementNode] = field(default_factory=dict)
    repeats: bool = False
    """True where JSON has an array, as the type says, whatever a profile narrows."""

    def clone(self) -> ElementNode:
        """Returns a copy that can be changed without changing this one."""
        children = None if self.children is None else {name: child.clone() for name, child in self.children.items()}
        slices = {name: part.clone() for name, part in self.slices.items()}
        return ElementNode(self.name, self.definition, self.slice_name, children, slices, self.repeats)

    @property
    def type_codes(self) -> tuple[str, ...]:
        """The different types of this element, in their order."""
        return tuple(dict.fromkeys(entry["code"] for entry in self.definition.get("type", ())))

    @property
    def type_profiles(self) -> tuple[str, ...]:
        """The profiles that any type of this element asks for."""
        return tuple(profile for entry in self.definition.get("type", ()) for profile in entry.get("profile", ()))

    @property
    def is_choice(self) -> bool:
        return self.name.endswith("[x]")

    @property
    def minimum(self) -> int:
        return int(self.definition.get("min", 0))

    @property
    def maximum(self) -> int | None:
        """The largest number of values; None for any number."""
        limit = self.definition.get("max", "*")
        return None if limit == "*" else int(limit)


def choice_name(element: str, type_code: str) -> str:
    """Returns the JSON name of `element` (`value[x]`) with values of `type_code`: `valueQuantity`."""
    return element[:-3] + type_code[0].upper() + type_code[1:]


def build_tree(elements: list[dict[str, Any]]) -> ElementNode:
    """Returns the tree of a snapshot whose elements have no slices, such as those of R4's types."""
    root = ElementNode(elements[0]["path"], elements[0])
    by_path = {root.name: root}
    for definition in elements[1:]:
        parent_path, _, name = definition["path"].rpartition(".")
        node = ElementNode(name, definition, repeats=definition.get("max", "*") != "1")
        parent = by_path[parent_path]
        if parent.children is None:
            parent.children = {}
        parent.children[name] = node
        by_path[definition["path"]] = node
    return root


def flatten(node: ElementNode, id_: str = "", path: str = "") -> Iterator[dict[str, Any]]:
    """Yields the snapshot's ElementDefinitions: `id` and `path` first, slices after the element that they cut."""
    id_ = id_ or node.name
    path = path or node.name
    facts = {key: value for key, value in node.definition.items() if key not in ("id", "path", "min", "max")}
    limits = {"min": node.minimum, "max": node.definition.get("max", "*")}
    yield {"id": id_, "path": path, **limits, **facts}
    for name, child in (node.children or {}).items():
        yield from flatten(child, f"{id_}.{name}", f"{path}.{name}")
    for name, part in node.slices.items():
        yield from flatten(part, f"{id_.rpartition(':')[0] if node.slice_name else id_}:{name}", path)
