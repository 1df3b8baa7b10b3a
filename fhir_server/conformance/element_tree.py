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
    it, never change it), whose `path` tells where the element was first defined (`HumanName.family`); slices are by
    name, slices of slices by their full name (`a/b`) inside slice `a`.
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
    def size(self) -> int:
        """How many elements there are from here on."""
        inside = [*(self.children or {}).values(), *self.slices.values()]
        return 1 + sum(node.size for node in inside)

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
    """Returns the tree of a snapshot: of R4's types, or of a package's definition that has no differential.

    Raises KeyError for an element whose parent is not there.
    """
    root = ElementNode(elements[0]["path"], elements[0])
    by_id = {root.name: root}
    for definition in elements[1:]:
        id_ = definition.get("id", definition["path"])
        parent_id, _, segment = id_.rpartition(".")
        name, _, slice_name = segment.partition(":")
        base = definition.get("base", {}).get("max", definition.get("max", "*"))
        node = ElementNode(name, definition, slice_name, repeats=base != "1")
        parent = by_id[parent_id]
        if slice_name:
            outer, slash, _ = slice_name.rpartition("/")
            by_id[f"{parent_id}.{name}:{outer}" if slash else f"{parent_id}.{name}"].slices[slice_name] = node
        else:
            if parent.children is None:
                parent.children = {}
            parent.children[name] = node
        by_id[id_] = node
    return root


def flatten(node: ElementNode, id_: str = "", path: str = "") -> Iterator[dict[str, Any]]:
    """Yields the snapshot's ElementDefinitions: `id` and `path` first, slices after the element that they cut.

    `base.path` is where the element was first defined, as far as this tree knows.
    """
    id_ = id_ or node.name
    path = path or node.name
    facts = {key: value for key, value in node.definition.items() if key not in _LEADING}
    limits = {"min": node.minimum, "max": node.definition.get("max", "*")}
    named = {"sliceName": node.slice_name} if node.slice_name else {}
    base = node.definition.get("base") or {"path": node.definition["path"]}
    yield {"id": id_, "path": path, **named, **limits, "base": base, **facts}
    for name, child in (node.children or {}).items():
        yield from flatten(child, f"{id_}.{name}", f"{path}.{name}")
    for name, part in node.slices.items():
        yield from flatten(part, f"{id_.rpartition(':')[0] if node.slice_name else id_}:{name}", path)


_LEADING = frozenset({"id", "path", "sliceName", "min", "max", "base"})
