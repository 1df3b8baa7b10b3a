"""What a search parameter finds in a resource: its FHIRPath, run by the library `fhirpathpy` on the raw JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fhirpathpy import apply_parsed_path
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models
from fhirpathpy.parser import parse

from tests.oracle.definitions import Parameter

Resource = Mapping[str, Any]

_ASKED = re.compile(r"\.(?:as|ofType)\((\w+)\)$")
_CAST = re.compile(r"\(([\w.]+) as (\w+)\)")


@dataclass(frozen=True)
class Value:
    """One value as JSON has it, with its FHIR type; where it has none of its own, the path."""

    type: str
    content: Any


def values_of(parameter: Parameter, resource: Resource) -> list[Value]:
    """Returns the values of a parameter in a resource, in no particular order."""
    return [value for branch in parameter.branches for value in evaluate(branch, resource)]


def evaluate(expression: str, resource: Resource, type_name: str | None = None) -> list[Value]:
    """Returns what an expression finds; `type_name` is that of content that is no resource."""
    node = _node(resource, type_name) if type_name else resource
    contained = {f"#{each['id']}": each["resourceType"] for each in resource.get("contained", ()) if "id" in each}
    resolve = {"resolve": {"fn": partial(_resolve, contained), "arity": {0: []}}}
    options = {"userInvocationTable": resolve, "returnRawData": True}
    found = apply_parsed_path(node, _parsed(expression), {}, models["r4"], options)  # type: ignore[no-untyped-call]
    asked = _ASKED.search(expression)
    return [value for each in found for value in _value(each, asked[1] if asked else "")]


@cache
def _parsed(expression: str) -> Any:
    # R4 writes `as` where an element repeats, which FHIRPath allows for one item only; `ofType` is what is meant.
    text = _CAST.sub(r"\1.ofType(\2)", expression)
    # `hasExtension`, of FHIR's own functions, is not in the library.
    text = re.sub(r"hasExtension\(('[^']*')\)", r"extension(\1).exists()", text)
    text = re.sub(r"\.as\((\w+)\)", lambda match: f".ofType({_type_name(match[1])})", text)
    return parse(text)  # type: ignore[no-untyped-call]


def _type_name(name: str) -> str:
    # R4 writes `as(DateTime)` and `as(Uri)`.
    return {"DateTime": "dateTime", "Uri": "uri", "String": "string"}.get(name, name)


def _resolve(contained: Mapping[str, str], references: list[Any]) -> list[Any]:
    """Returns a stand-in for each target: search only asks for its type."""
    found = []
    for reference in references:
        content = reference.data if isinstance(reference, ResourceNode) else reference
        text = content.get("reference", "")
        parts = text.partition("/_history/")[0].split("/")
        kind = contained.get(text) or (parts[-2] if len(parts) > 1 else content.get("type"))
        if kind:
            found.append(_node({"resourceType": kind}, kind))
    return found


def _node(content: Any, type_name: str) -> Any:
    return ResourceNode.create_node(content, type_name)  # type: ignore[no-untyped-call]


def _value(node: Any, asked: str) -> Iterator[Value]:
    if not isinstance(node, ResourceNode):
        yield Value("boolean" if isinstance(node, bool) else "string", node)
        return
    content = node.data
    if content is None:
        return
    type_name = content["resourceType"] if isinstance(content, Mapping) and "resourceType" in content else node.path
    if type_name == "Extension":
        yield from (_choice(name, each) for name, each in content.items() if name.startswith("value"))
        return
    # Below an element the library does not always know the type of a choice that was asked for.
    yield Value(str(type_name or _type_name(asked)).removeprefix("System."), content)


def _choice(name: str, content: Any) -> Value:
    suffix = name.removeprefix("value")
    return Value(suffix if isinstance(content, Mapping) else suffix[0].lower() + suffix[1:], content)
