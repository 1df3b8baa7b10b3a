"""Differential and base to the full element tree of a profile. https://hl7.org/fhir/R4/profiling.html#snapshot

A differential that names an element below a data type (`Patient.name.family`) makes the tree walk into that type; one
that names a choice by its type (`Observation.valueQuantity`) makes a slice of the choice.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from fhir_server.conformance.element_tree import ElementNode, choice_name

NOT_INHERITED = ("id", "path", "sliceName")
_SEGMENT = re.compile(r"(?P<name>[^.:]+(?:\[x\])?)(?::(?P<slice>[^.]+))?")


class SnapshotError(ValueError):
    """A definition that cannot be found, or whose differential does not fit its base."""


class Trees(Protocol):
    """Where the trees of bases, types and extension profiles come from."""

    def tree(self, canonical: str) -> ElementNode: ...
    def type_tree(self, type_name: str) -> ElementNode: ...
    def find(self, canonical: str) -> dict[str, Any] | None: ...


def children_of(node: ElementNode, trees: Trees) -> dict[str, ElementNode]:
    """Returns the children of `node`: its own, else those of the element it refers to, else those of its only type."""
    if node.children is not None:
        return node.children
    if reference := node.definition.get("contentReference"):
        return children_of(referenced_element(reference, trees), trees)
    codes = node.type_codes
    if len(codes) != 1:
        return {}
    profiles = node.type_profiles
    is_known = len(profiles) == 1 and trees.find(profiles[0]) is not None
    source = trees.tree(profiles[0]) if is_known else trees.type_tree(codes[0])
    return source.children or {}


def referenced_element(reference: str, trees: Trees) -> ElementNode:
    """Returns the element of R4 that `#Observation.referenceRange` names."""
    type_name, *names = reference.rpartition("#")[2].split(".")
    node = trees.type_tree(type_name)
    for name in names:
        node = children_of(node, trees)[name]
    return node


class SnapshotBuilder:
    """Builds the tree of one profile."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def build(self, definition: dict[str, Any]) -> ElementNode:
        """Returns the tree of a profile; raises SnapshotError where its differential does not fit its base."""
        root = self._trees.tree(definition["baseDefinition"]).clone()
        slices: dict[str, str] = {}
        for element in definition.get("differential", {}).get("element", ()):
            id_ = element.get("id") or derived_id(element, slices)
            node = root
            for segment in split_id(id_)[1:]:
                node = self._walk(node, segment, id_)
            node.definition = merged(node.definition, element)
            self._type_slice_facts(node)
        return root

    def _walk(self, node: ElementNode, segment: str, id_: str) -> ElementNode:
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            raise SnapshotError(f"Element id `{id_}` is not a path.")
        child = self._child(node, match["name"], id_)
        if match["slice"]:
            parts = match["slice"].split("/")
            for end in range(1, len(parts) + 1):
                child = self._slice(child, "/".join(parts[:end]))
        return child

    def _child(self, node: ElementNode, name: str, id_: str) -> ElementNode:
        if node.children is None:
            node.children = {key: child.clone() for key, child in children_of(node, self._trees).items()}
        if name in node.children:
            return node.children[name]
        for child in node.children.values():
            if child.is_choice:
                for code in child.type_codes:
                    if choice_name(child.name, code) == name:
                        return self._slice(child, name)
        raise SnapshotError(f"Element `{id_}` does not exist in the base: `{name}` is not a child there.")

    def _slice(self, node: ElementNode, name: str) -> ElementNode:
        if name not in node.slices:
            facts = {key: value for key, value in node.definition.items() if key != "slicing"}
            part = ElementNode(node.name, {**facts, "min": 0, "sliceName": name}, name, repeats=node.repeats)
            if node.children is not None:
                part.children = {key: child.clone() for key, child in node.children.items()}
            node.slices[name] = part
            self._type_slice_facts(part)
            if node.is_choice and "slicing" not in node.definition:
                by_type = {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"}
                node.definition = {**node.definition, "slicing": by_type}
        return node.slices[name]

    def _type_slice_facts(self, node: ElementNode) -> None:
        """Narrows the types of `value[x]:valueQuantity` to the one that the slice's name says."""
        if not node.slice_name or not node.is_choice or len(node.type_codes) < 2:
            return
        named = [
            t
            for t in node.definition["type"]
            if choice_name(node.name, t["code"]) == node.slice_name.rpartition("/")[2]
        ]
        if named:
            node.definition = {**node.definition, "type": named}


def merged(base: dict[str, Any], differential: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts of an element after a profile spoke: constraints add up, everything else replaces."""
    result = dict(base)
    for key, value in differential.items():
        if key == "constraint":
            inherited = {entry["key"]: entry for entry in base.get("constraint", ())}
            inherited.update({entry["key"]: entry for entry in value})
            result["constraint"] = list(inherited.values())
        elif key == "mapping":
            result["mapping"] = [*base.get("mapping", ()), *value]
        elif key not in NOT_INHERITED:
            result[key] = value
    return result


def split_id(id_: str) -> list[str]:
    """Returns the segments of an element id; a slice's name may hold no point."""
    return id_.split(".")


def derived_id(element: dict[str, Any], slices: dict[str, str]) -> str:
    """Returns the id of an element that was authored without one; `slices` remembers the last slice of each path."""
    path = element["path"]
    for known in [known for known in slices if known == path or known.startswith(path + ".")]:
        del slices[known]
    parent, _, name = path.rpartition(".")
    prefix = ""
    for end in range(1, path.count(".") + 1):
        part = ".".join(path.split(".")[:end])
        prefix = slices.get(part, f"{prefix}.{part.rpartition('.')[2]}" if prefix else part)
    id_ = f"{prefix}.{name}" if parent else name
    if "sliceName" in element:
        id_ = f"{id_}:{element['sliceName']}"
        slices[path] = id_
    return id_
