"""How each R4 type looks in XML: what may stand under one element, in which order, and what it becomes in JSON.

https://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from functools import cache
from typing import Any

from fhir_server.spec.definitions import resource_types, table

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
_NESTED = frozenset({"BackboneElement", "Element"})
_RESOURCE_ROOTS = frozenset({"Resource", "DomainResource"})

_integer = re.compile(r"-?(?:0|[1-9][0-9]{0,999})").fullmatch
_decimal = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,6})?").fullmatch


class Kind(Enum):
    """What an element holds. `WRAPPER` is one with a resource inside, such as `contained`; `RESOURCE` is that one."""

    COMPLEX = auto()
    PRIMITIVE = auto()
    NARRATIVE = auto()
    WRAPPER = auto()
    RESOURCE = auto()


@dataclass(frozen=True, slots=True)
class Slot:
    """One property of a type. `key` names it in JSON and in XML, `step` in FHIRPath (`value` for `valueString`);
    `sibling` is the JSON name of what stands beside a primitive's value, its id and extensions; `read` turns the text
    of a primitive into its JSON value.
    """

    key: str
    sibling: str
    step: str
    many: bool
    kind: Kind
    type_name: str
    read: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand inside an element: `slots` by expanded XML name (namespace, space, name), `properties` by JSON
    name with `_name` of the primitives; `ranks` has the order of the JSON names in XML; `attributes` are the
    properties that XML writes as attributes.
    """

    slots: dict[str, Slot]
    properties: dict[str, Slot]
    ranks: dict[str, int]
    attributes: frozenset[str]


def _text(text: str) -> str:
    return text


def _boolean(text: str) -> bool | str:
    """A text that is none of the type stays text, so that validation tells it with its place."""
    return text == "true" if text in ("true", "false") else text


def _whole(text: str) -> int | str:
    return int(text) if _integer(text) else text


def _number(text: str) -> int | Decimal | str:
    if not _decimal(text):
        return text
    return int(text) if _integer(text) else Decimal(text)


_READERS: dict[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "integer": _whole,
    "unsignedInt": _whole,
    "positiveInt": _whole,
    "decimal": _number,
}


@cache
def _types() -> dict[str, dict[str, Any]]:
    return {
        row["type"]: row
        for row in table("structure_definitions")
        if row.get("snapshot") and row["kind"] != "logical" and row.get("derivation") != "constraint"
    }


@cache
def _children() -> dict[str, list[dict[str, Any]]]:
    children: dict[str, list[dict[str, Any]]] = {}
    for row in _types().values():
        for element in row["snapshot"]["element"]:
            parent = element["path"].rpartition(".")[0]
            if parent:
                children.setdefault(parent, []).append(element)
    return children


@cache
def shape(type_name: str) -> Shape:
    """Returns the shape of a type (`Patient`, `HumanName`) or of a part of one, by its path (`Patient.contact`)."""
    attributes: frozenset[str] = frozenset()
    if type_name not in resource_types():
        attributes = frozenset({"id", "url"} if type_name == "Extension" else {"id"})
    slots: dict[str, Slot] = {}
    properties: dict[str, Slot] = {}
    ranks = {"resourceType": -1}
    for rank, element in enumerate(_children()[type_name]):
        for slot in _slots(element):
            properties[slot.key] = slot
            ranks[slot.key] = 2 * rank
            if slot.kind is Kind.PRIMITIVE and slot.key not in attributes:
                properties[slot.sibling] = slot
                ranks[slot.sibling] = 2 * rank + 1
            if slot.key not in attributes:
                slots[f"{XHTML if slot.kind is Kind.NARRATIVE else FHIR} {slot.key}"] = slot
    return Shape(slots, properties, ranks, attributes)


def _slots(element: dict[str, Any]) -> list[Slot]:
    path, many = element["path"], element.get("max", "1") not in ("0", "1")
    name = path.rpartition(".")[2]
    if "contentReference" in element:
        return [_complex(name, many, element["contentReference"].lstrip("#"))]
    codes = [entry["code"] for entry in element["type"]]
    if name.endswith("[x]"):
        stem = name[:-3]
        return [_slot(stem + code[0].upper() + code[1:], stem, many, code) for code in codes]
    if codes[0] in _NESTED and path in _children():
        return [_complex(name, many, path)]
    return [_slot(name, name, many, codes[0])]


def _complex(name: str, many: bool, type_name: str) -> Slot:
    return Slot(name, f"_{name}", name, many, Kind.COMPLEX, type_name, _text)


def _slot(key: str, step: str, many: bool, code: str) -> Slot:
    return Slot(key, f"_{key}", step, many, _kind(code), code, _READERS.get(code, _text))


def _kind(code: str) -> Kind:
    if code == "xhtml":
        return Kind.NARRATIVE
    if code in _RESOURCE_ROOTS:
        return Kind.WRAPPER
    row = _types().get(code)
    return Kind.PRIMITIVE if row is not None and row["kind"] == "primitive-type" else Kind.COMPLEX


@cache
def resource_slots() -> dict[str, Slot]:
    """Returns what may stand inside a wrapper: one resource of any type, by expanded XML name."""
    return {f"{FHIR} {name}": Slot(name, "", "", False, Kind.RESOURCE, name, _text) for name in resource_types()}


DOCUMENT = Slot("", "", "", False, Kind.WRAPPER, "Resource", _text)
"""The document around the outermost resource, as if it were an element."""
