"""The operations of a FHIRPath Patch as its `Parameters` say them, and the values they carry.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fhir_server.errors import FhirError, InvalidContent
from fhir_server.fhirpath import types
from fhir_server.fhirpath.syntax import Expr
from fhir_server.fhirpath.types import Choice, Element
from fhir_server.patch.places import Pair, parse_path, read_list, write_list
from fhir_server.patch.refusals import Inapplicable, check_count, copied, malformed, not_a_patch

_ITEM = "Parameters.parameter"
_NUMBERS = {"integer", "unsignedInt", "positiveInt"}
_FAMILIES = {"boolean": "boolean", "integer": "number", "unsignedInt": "number", "positiveInt": "number"}
_NEEDS = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its type and what stands beside it; or the parts of an element that has no type of its own."""

    type_name: str
    content: Any
    beside: Any
    parts: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as its parts say it; what its kind does not need is empty."""

    kind: str
    path: str
    tree: Expr
    name: str = ""
    value: Value = Value("", None, None)
    index: int = 0
    source: int = 0
    destination: int = 0


def read_operations(parameters: Any) -> list[Operation]:
    """Returns the operations of `Parameters`; raises InvalidContent, with the place, where it is no patch."""
    if type(parameters) is not dict or parameters.get("resourceType") != "Parameters":
        raise not_a_patch(
            "A FHIRPath Patch is a `Parameters` resource.", "Un patch FHIRPath est une ressource `Parameters`."
        )
    found = parameters.get("parameter", [])
    if type(found) is not list:
        raise not_a_patch("`Parameters.parameter` must be an array.", "`Parameters.parameter` doit être un tableau.")
    check_count(len(found))
    return [_Reader(number, parameter).operation() for number, parameter in enumerate(found, 1)]


class _Reader:
    """Reads one operation; it knows its number, and so the place of each of its parts."""

    def __init__(self, number: int, parameter: Any) -> None:
        self.number = number
        self.place = f"Parameters.parameter[{number - 1}]"
        self.parameter = parameter

    def error(self, english: str, french: str, place: str = "") -> InvalidContent:
        return malformed(self.number, english, french, place or self.place)

    def operation(self) -> Operation:
        if type(self.parameter) is not dict or self.parameter.get("name") != "operation":
            raise self.error("the parameter must be named `operation`.", "le paramètre doit se nommer `operation`.")
        parts = self.parts(self.parameter, self.place)
        kind = self.text(parts, "type")
        if kind not in _NEEDS:
            kinds = ", ".join(f"`{each}`" for each in _NEEDS)
            raise self.error(f"`type` must be one of {kinds}.", f"`type` doit être l’un de {kinds}.")
        needs = _NEEDS[kind]
        path = self.text(parts, "path")
        return Operation(
            kind,
            path,
            self.tree(path),
            self.text(parts, "name") if "name" in needs else "",
            self.value(*self.part(parts, "value")) if "value" in needs else Value("", None, None),
            *[self.whole(parts, name) if name in needs else 0 for name in ("index", "source", "destination")],
        )

    def parts(self, parent: dict[str, Any], place: str) -> list[tuple[dict[str, Any], str]]:
        """Returns the parts with their places."""
        found = parent.get("part")
        if (
            type(found) is not list
            or not found
            or not all(type(p) is dict and type(p.get("name")) is str for p in found)
        ):
            raise self.error(
                "`part` must be an array of named parts.", "`part` doit être un tableau de parties nommées.", place
            )
        return [(part, f"{place}.part[{index}]") for index, part in enumerate(found)]

    def part(self, parts: list[tuple[dict[str, Any], str]], name: str) -> tuple[dict[str, Any], str]:
        named = [each for each in parts if each[0]["name"] == name]
        if len(named) != 1:
            raise self.error(f"there must be one part `{name}`.", f"il faut une seule partie `{name}`.")
        return named[0]

    def text(self, parts: list[tuple[dict[str, Any], str]], name: str) -> str:
        part, place = self.part(parts, name)
        text = part.get("valueString", part.get("valueCode"))
        if type(text) is not str or not text:
            raise self.error(f"`{name}` must be a text.", f"`{name}` doit être un texte.", place)
        return text

    def whole(self, parts: list[tuple[dict[str, Any], str]], name: str) -> int:
        part, place = self.part(parts, name)
        value = self.value(part, place)
        if value.type_name not in _NUMBERS or type(value.content) is not int or value.content < 0:
            raise self.error(
                f"`{name}` must be an integer, counted from 0.",
                f"`{name}` doit être un entier, compté depuis 0.",
                place,
            )
        return value.content

    def tree(self, path: str) -> Expr:
        try:
            return parse_path(path)
        except RecursionError:
            raise self.error("the path is nested too deep.", "le chemin est trop imbriqué.") from None
        except FhirError as error:
            raise type(error)(
                f"Operation {self.number}: {error.english}",
                f"Opération {self.number} : {error.french}",
                rule=error.rule,
                expression=[self.place],
            ) from None

    def value(self, part: dict[str, Any], place: str) -> Value:
        known = types.properties(_ITEM)
        choices = {
            choice.key: choice
            for choice in known.values()
            if choice.key.startswith("value") and (choice.key in part or f"_{choice.key}" in part)
        }
        if len(choices) + ("part" in part) + ("resource" in part) != 1:
            raise self.error(
                f"`{part['name']}` must have exactly one of `value[x]`, `part`, `resource`.",
                f"`{part['name']}` doit avoir exactement l’un de `value[x]`, `part`, `resource`.",
                place,
            )
        if "part" in part:
            inner = self.parts(part, place)
            return Value("", None, None, tuple((each["name"], self.value(each, where)) for each, where in inner))
        value = _resource(part["resource"]) if "resource" in part else _typed(part, next(iter(choices.values())))
        if value is None:
            raise self.error(f"`{part['name']}` has no content.", f"`{part['name']}` n’a pas de contenu.", place)
        return value


def _resource(resource: Any) -> Value | None:
    type_name = resource.get("resourceType") if type(resource) is dict else None
    return Value(type_name, resource, None) if type(type_name) is str and types.is_resource(type_name) else None


def _typed(part: dict[str, Any], choice: Choice) -> Value | None:
    content, beside = part.get(choice.key), part.get(f"_{choice.key}")
    return None if content is None and beside is None else Value(choice.type_name, content, beside)


def choose(element: Element, value: Value) -> Choice:
    """Returns the property of `element` that can hold `value`; raises Inapplicable where its type is a wrong one."""
    for choice in element.choices:
        if choice.type_name == value.type_name:
            return choice
    for choice in element.choices:
        if _fits(choice.type_name, value, is_only=len(element.choices) == 1):
            return choice
    allowed = ", ".join(f"`{choice.type_name}`" for choice in element.choices[:8])
    given = f"`{value.type_name}`" if value.type_name else "`part`"
    raise Inapplicable(
        f"`{element.name}` takes {allowed}, not {given}.", f"`{element.name}` attend {allowed}, et non {given}."
    )


def _fits(type_name: str, value: Value, *, is_only: bool) -> bool:
    """A code or a date may come as any text where only one type is possible: validation judges the text."""
    if not value.type_name:
        return is_only and not types.is_primitive(type_name) and type_name not in types.RESOURCE_ROOTS
    if types.is_a(value.type_name, type_name) and not types.is_primitive(type_name):
        return True
    if not (is_only and types.is_primitive(type_name) and types.is_primitive(value.type_name)):
        return False
    given, wanted = _FAMILIES.get(value.type_name, "text"), _FAMILIES.get(type_name, "text")
    if type_name == "decimal" or value.type_name == "decimal":
        return type_name == "decimal" and given == "number"
    return given == wanted


def build(value: Value, type_name: str) -> Pair:
    """Returns the JSON of a value for an element of that type, and what stands beside it."""
    if value.type_name or not value.parts:
        return copied(value.content), copied(value.beside)
    content: dict[str, Any] = {}
    for name, inner in value.parts:
        put(content, type_name, name, inner)
    return content, None


def find_element(type_name: str, name: str) -> Element:
    """Returns the element of a type by its name; `valueQuantity` names the one of its choices."""
    elements = types.elements(type_name)
    if name in elements:
        return elements[name]
    for element in elements.values():
        for choice in element.choices:
            if choice.key == name:
                return Element(element.name, element.many, (choice,))
    raise Inapplicable(f"`{type_name}` has no element `{name}`.", f"`{type_name}` n’a pas d’élément `{name}`.")


def put(owner: dict[str, Any], type_name: str, name: str, value: Value) -> None:
    """Appends to a list, or sets an element that is not there yet."""
    element = find_element(type_name, name)
    choice = choose(element, value)
    content, beside = build(value, choice.type_name)
    if element.many:
        write_list(owner, choice, [*read_list(owner, choice), (content, beside)])
        return
    for each in types.elements(type_name)[element.name].choices:
        if each.key in owner or each.sibling in owner:
            raise Inapplicable(
                f"`{name}` does not repeat, and is there already; `replace` changes it.",
                f"`{name}` ne se répète pas, et existe déjà ; `replace` le modifie.",
            )
    if content is not None:
        owner[choice.key] = content
    if beside is not None and choice.sibling:
        owner[choice.sibling] = beside
