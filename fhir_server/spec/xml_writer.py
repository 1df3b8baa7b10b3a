"""A resource's JSON to FHIR XML, elements in the order of their definitions. https://hl7.org/fhir/R4/xml.html"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.spec.definitions import resource_types
from fhir_server.spec.xml_narrative import embeddable
from fhir_server.spec.xml_shapes import FHIR, Kind, Shape, Slot, shape

_COMPLEX, _PRIMITIVE, _NARRATIVE, _WRAPPER = Kind.COMPLEX, Kind.PRIMITIVE, Kind.NARRATIVE, Kind.WRAPPER
_BESIDE = "Element"
_special = re.compile(r'[&<>"\t\n\r]').search
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_impossible = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]").search


class Unwritable(Exception):
    """Content that has no form in XML; `steps` lead to it, innermost first."""

    def __init__(self, english: str, french: str) -> None:
        super().__init__(english)
        self.english = english
        self.french = french
        self.steps: list[str] = []

    def refusal(self, resource_type: str) -> InvalidContent:
        place = resource_type + "".join(reversed(self.steps))
        return InvalidContent(
            f"`{place}` cannot be written as XML: {self.english}",
            f"`{place}` ne peut pas s’écrire en XML : {self.french}",
            rule="xml-content",
            expression=[place],
        )


def write(resource: dict[str, Any], *, pretty: bool = False) -> bytes:
    """Returns the resource as an XML document in UTF-8, by two spaces a level where `pretty`.

    Raises InvalidContent, with the place, for content that R4's definitions do not know.
    """
    writer = _Writer()
    try:
        writer.resource(resource, "\n" if pretty else "", f' xmlns="{FHIR}"')
        text = "".join(writer.parts)
        _check_characters(text)
    except Unwritable as fault:
        raise fault.refusal(str(resource.get("resourceType", ""))) from None
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def _check_characters(text: str) -> None:
    if found := _impossible(text):
        code = f"U+{ord(found[0]):04X}"
        raise Unwritable(f"XML has no character {code}.", f"XML n’a pas de caractère {code}.")


class _Writer:
    """Gathers the parts of a document. `pad` is what stands before a tag: nothing, or a line break and spaces."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[str] = []

    def resource(self, resource: Any, pad: str, namespace: str = "") -> None:
        type_name = resource.get("resourceType") if type(resource) is dict else None
        if type_name not in resource_types():
            raise Unwritable("it is no resource of R4.", "ce n’est pas une ressource de R4.")
        self.complex(type_name, resource, shape(type_name), pad, namespace)

    def complex(self, name: str, content: Any, form: Shape, pad: str, attributes: str = "") -> None:
        if type(content) is not dict:
            raise Unwritable("an object is expected.", "un objet est attendu.")
        for attribute in form.attributes:
            if attribute in content:
                attributes += f' {attribute}="{_text(content[attribute])}"'
        parts = self.parts
        position = len(parts)
        parts.append(f"{pad}<{name}{attributes}>")
        self.properties(content, form, f"{pad}  " if pad else "")
        if len(parts) == position + 1:
            parts[position] = f"{pad}<{name}{attributes}/>"
        else:
            parts.append(f"{pad}</{name}>")

    def properties(self, content: dict[str, Any], form: Shape, pad: str) -> None:
        try:
            keys = sorted(content, key=form.ranks.__getitem__)
        except KeyError as error:
            unknown = error.args[0]
            raise Unwritable(f"the name `{unknown}` is unknown.", f"le nom `{unknown}` est inconnu.") from None
        properties, attributes, put = form.properties, form.attributes, self.parts.append
        for key in keys:
            slot = properties.get(key)
            if slot is None or key in attributes or (key != slot.key and slot.key in content):
                continue
            value = content.get(slot.key)
            try:
                if type(value) is str and slot.kind is _PRIMITIVE and not slot.many and slot.sibling not in content:
                    put(f'{pad}<{key} value="{value.translate(_ESCAPES) if _special(value) else value}"/>')
                elif slot.kind is _PRIMITIVE:
                    self.primitive(slot, value, content.get(slot.sibling), pad)
                elif slot.many:
                    self.each(slot, value, pad)
                else:
                    self.one(slot, value, pad)
            except Unwritable as fault:
                fault.steps.append(f".{slot.step}")
                raise

    def each(self, slot: Slot, values: Any, pad: str) -> None:
        for index, value in enumerate(_list(values)):
            try:
                self.one(slot, value, pad)
            except Unwritable as fault:
                fault.steps.append(f"[{index}]")
                raise

    def one(self, slot: Slot, value: Any, pad: str) -> None:
        if slot.kind is _COMPLEX:
            self.complex(slot.key, value, shape(slot.type_name), pad)
        elif slot.kind is _WRAPPER:
            self.parts.append(f"{pad}<{slot.key}>")
            self.resource(value, f"{pad}  " if pad else "")
            self.parts.append(f"{pad}</{slot.key}>")
        else:
            self.narrative(value, pad)

    def narrative(self, div: Any, pad: str) -> None:
        written = embeddable(div) if type(div) is str else None
        if written is None:
            raise Unwritable("it is not one well-formed XHTML `div`.", "ce n’est pas un seul `div` XHTML bien formé.")
        self.parts.append(f"{pad}{written}")

    def primitive(self, slot: Slot, value: Any, beside: Any, pad: str) -> None:
        if not slot.many:
            self.leaf(slot.key, value, beside, pad)
            return
        values = _list(value if value is not None else [])
        beside = _list(beside if beside is not None else [])
        for index in range(max(len(values), len(beside))):
            try:
                self.leaf(
                    slot.key,
                    values[index] if index < len(values) else None,
                    beside[index] if index < len(beside) else None,
                    pad,
                )
            except Unwritable as fault:
                fault.steps.append(f"[{index}]")
                raise

    def leaf(self, name: str, value: Any, beside: Any, pad: str) -> None:
        if beside is None:
            if value is not None:
                self.parts.append(f'{pad}<{name} value="{_text(value)}"/>')
            return
        attributes = "" if value is None else f' value="{_text(value)}"'
        self.complex(name, beside, shape(_BESIDE), pad, attributes)


def _list(values: Any) -> list[Any]:
    if type(values) is not list:
        raise Unwritable("an array is expected.", "un tableau est attendu.")
    return values


def _text(value: Any) -> str:
    if type(value) is str:
        return value.translate(_ESCAPES) if _special(value) else value
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is int or type(value) is Decimal:
        return str(value)
    raise Unwritable("a single value is expected.", "une valeur simple est attendue.")
