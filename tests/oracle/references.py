"""Reference search, value by value: https://hl7.org/fhir/R4/search.html#reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fhir_server.spec.definitions import resource_types
from tests.oracle.definitions import Parameter
from tests.oracle.text import split, unescape
from tests.oracle.values import Value

BASE_URL = "http://test/fhir"
"""Where the tests' server is."""

_LITERAL = re.compile(rf"(?:{re.escape(BASE_URL)}/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{{1,64}})(?:/_history/[^/]+)?")


def target(value: Value) -> tuple[str, str] | None:
    """Returns (resource type, id) of what a reference on this server leads to, None where it leads elsewhere."""
    content = value.content
    if isinstance(content, Mapping):
        if "resourceType" in content:
            return (content["resourceType"], content["id"]) if "id" in content else None
        content = content.get("reference") or ""
    return literal(content)


def literal(text: str) -> tuple[str, str] | None:
    """Returns (resource type, id) of a relative reference, or an absolute one to this server; else None."""
    found = _LITERAL.fullmatch(text)
    return (found[1], found[2]) if found and found[1] in resource_types() else None


def matches(parameter: Parameter, value: Value, modifier: str | None, text: str) -> bool:
    """True where the value leads to what the text names."""
    if modifier == "identifier":
        return _has_identifier(value, text)
    asked = unescape(text)
    named, found = literal(asked), target(value)
    if named is not None:
        return found == named
    if "/" in asked or ":" in asked:
        return asked in _urls(value)
    kinds = (modifier,) if modifier else parameter.targets or tuple(resource_types())
    return found is not None and found[1] == asked and found[0] in kinds


def is_present(value: Value) -> bool:
    """True where a reference says anything: a target, contained or elsewhere included, an identifier, a display."""
    if value.type == "Reference":
        return bool(value.content.keys() - {"extension"})
    return isinstance(value.content, str) or target(value) is not None


def _has_identifier(value: Value, text: str) -> bool:
    identifier: Any = value.content.get("identifier", {}) if isinstance(value.content, Mapping) else {}
    if not identifier.get("value"):
        return False
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) == 1:
        return bool(identifier["value"] == parts[0])
    return (identifier.get("system") or "") == parts[0] and parts[1] in ("", identifier["value"])


def _urls(value: Value) -> tuple[str, ...]:
    if isinstance(value.content, str):
        return value.content, value.content.partition("|")[0]
    return (value.content.get("reference", "").partition("/_history/")[0],)
