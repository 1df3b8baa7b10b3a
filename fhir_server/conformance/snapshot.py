"""Differential and base to the full element tree of a profile. https://hl7.org/fhir/R4/profiling.html#snapshot

A differential that names an element below a data type (`Patient.name.family`) makes the tree walk into that type; one
that names a choice by its type (`Observation.valueQuantity`) makes a slice of the choice and leaves it no other type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fhir_server.conformance.element_tree import ElementNode, choice_name
from fhir_server.conformance.narrowing import SnapshotError, Trees, check_element

NOT_INHERITED = ("id", "path", "sliceName", "base")
EXTENSION_SLICING = {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "open"}
"""How extensions are sliced where nobody says so. https://hl7.org/fhir/R4/profiling.html#extensions"""
OPEN_TYPE_SLICING = {"discriminator": [{"type": "type", "path": "$this"}], "ordered": False, "rules": "open"}
TYPE_SLICING = {**OPEN_TYPE_SLICING, "rules": "closed"}
"""How a choice is sliced whose types a profile names (`valueQuantity`), without slicing it itself."""
DEEPEST, MOST_ELEMENTS = 64, 50_000
"""How deep and how large a snapshot may become; the largest of FR Core has 240 elements. More is an attack."""
_EXTENSIONS = frozenset({"extension", "modifierExtension"})
_SEGMENT = re.compile(r"(?P<name>[^.:]+(?:\[x\])?)(?::(?P<slice>[^.:]+))?")


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
        self._closed: list[ElementNode] = []
        self._size = 0

    def build(self, definition: dict[str, Any]) -> ElementNode:
        """Returns the tree of a profile.

        Raises SnapshotError, naming the element, where its differential does not fit its base.
        """
        if "baseDefinition" not in definition:
            raise SnapshotError(
                f"`{definition.get('url')}` names no baseDefinition.",
                f"`{definition.get('url')}` n'indique pas de baseDefinition.",
            )
        root = self._trees.tree(definition["baseDefinition"]).clone()
        if definition.get("type", root.name) != root.name:
            base = definition["baseDefinition"]
            raise SnapshotError(
                f"A profile of `{definition['type']}` cannot have the base `{base}` of `{root.name}`.",
                f"Un profil de `{definition['type']}` ne peut avoir pour base `{base}`, de `{root.name}`.",
            )
        slices: dict[str, str] = {}
        for element in definition.get("differential", {}).get("element", ()):
            id_ = element.get("id") or derived_id(element, slices)
            if id_.partition(".")[0] != root.name:
                raise SnapshotError(
                    f"Element `{id_}` is not one of `{root.name}`.",
                    f"L'élément `{id_}` n'est pas de `{root.name}`.",
                )
            segments = id_.split(".")[1:]
            self._grow(1 if len(segments) + id_.count("/") <= DEEPEST else MOST_ELEMENTS + 1, id_)
            node, inside_slice = root, False
            for segment in segments:
                node = self._walk(node, segment, id_, inside_slice)
                inside_slice = inside_slice or bool(node.slice_name)
            check_element(node, element, id_)
            node.definition = merged(node.definition, element)
            self._type_slice_facts(node)
        for choice in self._closed:
            named = {code for part in choice.slices.values() for code in part.type_codes}
            types = [entry for entry in choice.definition["type"] if entry["code"] in named]
            choice.definition = {**choice.definition, "type": types}
        return root

    def _walk(self, node: ElementNode, segment: str, id_: str, inside_slice: bool) -> ElementNode:
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            raise SnapshotError(f"Element id `{id_}` is not a path.", f"L'id d'élément `{id_}` n'est pas un chemin.")
        child = self._child(node, match["name"], id_, inside_slice)
        if match["slice"]:
            parts = match["slice"].split("/")
            for end in range(1, len(parts) + 1):
                child = self._slice(child, "/".join(parts[:end]), id_)
        return child

    def _grow(self, count: int, id_: str) -> None:
        self._size += count
        if self._size > MOST_ELEMENTS:
            raise SnapshotError(
                f"Element `{id_[:200]}`: the snapshot becomes deeper than {DEEPEST} or larger than {MOST_ELEMENTS}"
                " elements.",
                f"Élément `{id_[:200]}` : le snapshot dépasse {DEEPEST} niveaux ou {MOST_ELEMENTS} éléments.",
            )

    def _copied(self, children: Mapping[str, ElementNode], id_: str) -> dict[str, ElementNode]:
        self._grow(sum(child.size for child in children.values()), id_)
        return {name: child.clone() for name, child in children.items()}

    def _child(self, node: ElementNode, name: str, id_: str, inside_slice: bool) -> ElementNode:
        if node.children is None:
            node.children = self._copied(children_of(node, self._trees), id_)
        if name in node.children:
            return node.children[name]
        for child in node.children.values():
            if child.is_choice:
                for code in child.type_codes:
                    if choice_name(child.name, code) == name:
                        return self._named_by_type(child, code, id_, inside_slice)
        raise SnapshotError(
            f"Element `{id_}` does not exist in the base: `{name}` is not a child there.",
            f"L'élément `{id_}` n'existe pas dans la base : `{name}` n'y est pas un enfant.",
        )

    def _named_by_type(self, choice: ElementNode, code: str, id_: str, inside_slice: bool) -> ElementNode:
        """Returns what `valueQuantity` stands for: a slice, inside other slices the choice itself, of that type.

        As in HL7's own snapshots no other type is left to a choice that is not sliced otherwise.
        """
        name = choice_name(choice.name, code)
        if inside_slice and not choice.slices:
            choice.definition = {**choice.definition, "type": _of_type(choice, name)}
            return choice
        if "slicing" not in choice.definition:
            choice.definition = {**choice.definition, "slicing": TYPE_SLICING}
            self._closed.append(choice)
        return self._slice(choice, name, id_)

    def _slice(self, node: ElementNode, name: str, id_: str) -> ElementNode:
        if name not in node.slices:
            facts = {key: value for key, value in node.definition.items() if key != "slicing"}
            part = ElementNode(node.name, {**facts, "min": 0, "sliceName": name}, name, repeats=node.repeats)
            if node.children is not None:
                part.children = self._copied(node.children, id_)
            node.slices[name] = part
            self._type_slice_facts(part)
            if "slicing" not in node.definition and (node.is_choice or node.name in _EXTENSIONS):
                slicing = OPEN_TYPE_SLICING if node.is_choice else EXTENSION_SLICING
                node.definition = {**node.definition, "slicing": slicing}
        return node.slices[name]

    def _type_slice_facts(self, node: ElementNode) -> None:
        """Narrows the types of `value[x]:valueQuantity` to the one that the slice's name says."""
        if node.slice_name and node.is_choice and len(node.type_codes) > 1:
            named = _of_type(node, node.slice_name.rpartition("/")[2])
            if named:
                node.definition = {**node.definition, "type": named}


def _of_type(choice: ElementNode, name: str) -> list[dict[str, Any]]:
    """Returns the types of a choice whose values stand under `name` in JSON; one, or none."""
    return [entry for entry in choice.definition["type"] if choice_name(choice.name, entry["code"]) == name]


def merged(base: dict[str, Any], differential: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts of an element after a profile spoke: constraints add up, everything else replaces."""
    result = dict(base)
    for key, value in differential.items():
        if key == "constraint":
            inherited = {entry["key"]: entry for entry in base.get("constraint", ())}
            inherited.update({entry["key"]: entry for entry in value})
            result["constraint"] = list(inherited.values())
        elif key == "slicing" and "slicing" in base:
            result["slicing"] = _narrowed_slicing(base["slicing"], value)
        elif key == "mapping":
            result["mapping"] = [*base.get("mapping", ()), *value]
        elif key == "slicing" and not value.keys() & {"discriminator", "description"}:
            continue  # cuts nothing, and is not valid (eld-1)
        elif key not in NOT_INHERITED:
            result[key] = value
    return result


def _narrowed_slicing(base: dict[str, Any], differential: dict[str, Any]) -> dict[str, Any]:
    """Returns how an element is sliced that its base slices too: what was closed or ordered stays so."""
    result = {**base, **differential}
    order = ("open", "openAtEnd", "closed")
    result["rules"] = max(base.get("rules", "open"), differential.get("rules", "open"), key=order.index)
    if base.get("ordered"):
        result["ordered"] = True
    return result


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
