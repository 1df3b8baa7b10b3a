"""Search expressions, read without running them: their alternatives, where each begins in JSON, and what it yields.

https://hl7.org/fhir/R4/searchparameter-registry.html

R4's expressions are unions of paths. Most are plain (`Observation.code`, `Patient.name.family`) or end in a choice
(`(Observation.value as Quantity)`): those are walked directly in the JSON. The others (`where`, `extension`, indexes,
operators) are left to FHIRPath; they are still evaluated only where their first element is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from fhir_server.spec.definitions import structure_definitions

_BASE = "http://hl7.org/fhir/StructureDefinition/"
_PLAIN = re.compile(r"(\w+)((?:\.\w+)+)")
_CAST = re.compile(r"\(\s*(\w+)((?:\.\w+)+)\s+as\s+(\w+)\s*\)|(\w+)((?:\.\w+)+)\.(?:as|ofType)\(\s*(\w+)\s*\)")
_RESOLVED = re.compile(r"(.+)\.where\(resolve\(\) is (\w+)\)")
_ROOT = re.compile(r"\(*\s*(\w+)")
_MARK = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`|[()\[\]{}|]")
_HEAD = re.compile(r"\(?\s*(\w+)\.(\w+)")
_OPERATOR = re.compile(r"\s(?:and|or|xor|implies|=|!=)\s")
_ROOTS = frozenset({"Resource", "DomainResource"})


@dataclass(frozen=True, slots=True)
class Alternative:
    """One branch of a search expression, as one resource type sees it.

    `path` with `leaves` (JSON key and FHIR type of the last step) where the JSON can be walked directly, else `path`
    is None. `heads` are the JSON keys of the first step, empty where the branch yields values even when its element
    is absent. `X.where(resolve() is Patient)` is `source` X with `target` Patient: only references to that type count.
    `is_boolean` where the branch is a comparison, not a path.
    """

    text: str
    heads: tuple[str, ...]
    path: tuple[str, ...] | None
    leaves: tuple[tuple[str, str], ...]
    source: str
    target: str | None
    is_boolean: bool = False

    @property
    def types(self) -> frozenset[str]:
        """The FHIR types this branch yields, as far as they show without running it."""
        return frozenset({"boolean"}) if self.is_boolean else frozenset(name for _, name in self.leaves)


@cache
def alternatives(expression: str, resource_type: str) -> tuple[Alternative, ...]:
    """Returns the branches of `expression` that apply to `resource_type`, each once."""
    found: dict[str, Alternative] = {}
    for text in branches(expression):
        root = _ROOT.match(text)
        if root is None or root[1][0].islower():
            # Written without its type, as R4 itself does once (`InsurancePlan.name | alias`).
            text = text if text.startswith("(") else f"{resource_type}.{text}"
        elif root[1] != resource_type and root[1] not in _ROOTS:
            continue
        found.setdefault(text, _read(text, resource_type))
    return tuple(found.values())


def branches(expression: str) -> list[str]:
    """Returns the parts of an expression between the `|` that stand outside brackets and texts."""
    found, start, depth = [], 0, 0
    for mark in _MARK.finditer(expression):
        if mark[0] in ("(", "[", "{"):
            depth += 1
        elif mark[0] in (")", "]", "}"):
            depth -= 1
        elif mark[0] == "|" and not depth:
            found.append(expression[start : mark.start()])
            start = mark.end()
    found.append(expression[start:])
    return [" ".join(branch.split()) for branch in found]


def _read(text: str, resource_type: str) -> Alternative:
    resolved = _RESOLVED.fullmatch(text)
    source, target = (resolved[1], resolved[2]) if resolved else (text, None)
    path, leaves = _walkable(source, resource_type)
    head = _HEAD.match(text)
    heads: tuple[str, ...] = ()
    if path is not None:
        heads = path[:1] or tuple(key for key, _ in leaves)
    is_boolean = path is None and bool(_OPERATOR.search(re.sub(r"\(.*?\)", "", text)))
    if path is None and head is not None and not is_boolean:
        heads = tuple(key for key, _, _ in _children(resource_type, head[2]))
    return Alternative(text, heads, path, leaves, source, target, is_boolean)


def _walkable(text: str, resource_type: str) -> tuple[tuple[str, ...] | None, tuple[tuple[str, str], ...]]:
    """Returns (keys of all steps but the last, JSON keys and types of the last) of a plain path, else (None, ())."""
    cast, only = _CAST.fullmatch(text), None
    plain = _PLAIN.fullmatch(text)
    if cast is not None:
        steps, only = (cast[2] or cast[5]), (cast[3] or cast[6])
    elif plain is not None:
        steps = plain[2]
    else:
        return None, ()
    names = steps.strip(".").split(".")
    place, keys = resource_type, []
    for name in names[:-1]:
        children = _children(place, name)
        if len(children) != 1:
            return None, ()
        key, _, place = children[0]
        keys.append(key)
    found = tuple(
        (key, type_name)
        for key, type_name, _ in _children(place, names[-1])
        # R4 writes `value.as(DateTime)` too.
        if only is None or only.casefold() == type_name.casefold()
    )
    return (tuple(keys), found) if found else (None, ())


@cache
def _children(place: str, name: str) -> tuple[tuple[str, str, str], ...]:
    """Returns (JSON key, FHIR type, place to go on from) for each type that element `name` of `place` may have."""
    elements = _elements(place.partition(".")[0])
    element = elements.get(f"{place}.{name}") or elements.get(f"{place}.{name}[x]")
    if element is None:
        return ()
    if "contentReference" in element:
        return ((name, "BackboneElement", element["contentReference"].lstrip("#")),)
    found = []
    for row in element["type"]:
        type_name = _plain_type(row["code"])
        key = name + type_name[0].upper() + type_name[1:] if element["path"].endswith("[x]") else name
        inside = element["path"] if type_name in ("BackboneElement", "Element") else type_name
        found.append((key, type_name, inside))
    return tuple(found)


def binding_of(alternative: Alternative, resource_type: str) -> str | None:
    """Returns the canonical of the value set that a walkable branch is bound to, or None."""
    place = resource_type
    for name in alternative.path or ():
        place = _children(place, name)[0][2]
    for key, _ in alternative.leaves if alternative.path is not None else ():
        element = _elements(place.partition(".")[0]).get(f"{place}.{key}", {})
        canonical: str | None = element.get("binding", {}).get("valueSet")
        if canonical:
            return canonical
    return None


def targets_of(alternative: Alternative, resource_type: str) -> tuple[str, ...]:
    """Returns the resource types that the references of a walkable branch may lead to, none where it cannot be told."""
    place = resource_type
    for name in alternative.path or ():
        place = _children(place, name)[0][2]
    found: dict[str, None] = {}
    for key, _ in alternative.leaves if alternative.path is not None else ():
        for row in _elements(place.partition(".")[0]).get(f"{place}.{key}", {}).get("type", ()):
            found.update(dict.fromkeys(profile.removeprefix(_BASE) for profile in row.get("targetProfile", ())))
    return tuple(name for name in found if name != "Resource")


@cache
def _elements(type_name: str) -> dict[str, dict[str, Any]]:
    definition = structure_definitions().get(_BASE + type_name)
    return {row["path"]: row for row in definition["snapshot"]["element"]} if definition else {}


def _plain_type(code: str) -> str:
    # R4 gives ids and urls of resources as types of the FHIRPath system.
    return {"String": "string"}.get(code.rpartition(".")[2], code) if code.startswith("http:") else code


def repeats_inside(alternative: Alternative, resource_type: str) -> bool:
    """True where a walkable branch leads through an element that repeats, such as `component`."""
    place = resource_type
    for name in alternative.path or ():
        element = _elements(place.partition(".")[0]).get(f"{place}.{name}", {})
        if element.get("max") == "*":
            return True
        place = _children(place, name)[0][2]
    return False


@cache
def can_repeat(alternative: Alternative, resource_type: str) -> bool:
    """True unless a branch is an element of the resource itself that cannot repeat, be it a choice of types."""
    if alternative.path != ():
        return True
    # A resource has one type of a choice: `effectiveDateTime` or `effectivePeriod`, both `effective[x]`.
    names = {key.removesuffix(type_name[0].upper() + type_name[1:]) for key, type_name in alternative.leaves}
    return len(names) != 1 or not is_single(resource_type, names.pop())


def is_single(resource_type: str, name: str) -> bool:
    """True where element `name` of a resource type cannot repeat."""
    elements = _elements(resource_type)
    element = elements.get(f"{resource_type}.{name}") or elements.get(f"{resource_type}.{name}[x]") or {}
    return bool(element.get("max") == "1")
