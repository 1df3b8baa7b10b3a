"""JSON Patch of a resource: RFC 6902 over its JSON, with JSON Pointers of RFC 6901.

https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fhir_server.patch.refusals import (
    MAX_VALUES,
    Inapplicable,
    check_count,
    check_result,
    copied,
    malformed,
    measure,
    not_a_patch,
)
from fhir_server.spec.json_format import DEPTH_LIMIT

_ABSENT = object()
_END = "-"
_index = re.compile(r"0|[1-9][0-9]{0,8}").fullmatch
_wrong_escape = re.compile(r"~(?![01])").search


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation; `path` and `source` are the tokens of its pointers, `shown` how the client wrote it."""

    name: str
    path: tuple[str, ...]
    source: tuple[str, ...]
    value: Any
    shown: str


def apply_json_patch(resource: dict[str, Any], operations: Any) -> dict[str, Any]:
    """Returns the resource with the operations applied, in their order; `operations` is the parsed body.

    `[{"op": "replace", "path": "/active", "value": false}]`. Raises InvalidContent where it is no JSON Patch,
    InvalidResource where an operation does not fit, a `test` that fails among them: then nothing is applied.
    """
    document = apply_operations(resource, operations)
    return check_result(document, resource)


def apply_operations(document: Any, operations: Any) -> Any:
    """Returns any JSON with the operations applied, to a copy."""
    if type(operations) is not list:
        raise not_a_patch("A JSON Patch is an array of operations.", "Un JSON Patch est un tableau d’opérations.")
    check_count(len(operations))
    parsed = [_parse(number, operation) for number, operation in enumerate(operations, 1)]
    root = _fhir_type(document)
    document = copied(document)
    may_copy = MAX_VALUES
    for number, operation in enumerate(parsed, 1):
        try:
            if operation.name == "copy":
                may_copy -= measure(_find(document, operation.source), may_copy)
            document = _RUNNERS[operation.name](document, operation)
        except Inapplicable as fault:
            raise fault.refusal(number, operation.shown, _fhirpath(root, operation.path)) from None
    return document


def _parse(number: int, operation: Any) -> _Operation:
    if type(operation) is not dict:
        raise malformed(number, "an operation is an object.", "une opération est un objet.")
    name = operation.get("op")
    if type(name) is not str or name not in _RUNNERS:
        names = ", ".join(f"`{each}`" for each in _RUNNERS)
        raise malformed(number, f"`op` must be one of {names}.", f"`op` doit être l’un de {names}.")
    path = _pointer(number, operation, "path")
    source = _pointer(number, operation, "from") if name in ("move", "copy") else ()
    value = operation.get("value", _ABSENT)
    if value is _ABSENT and name in ("add", "replace", "test"):
        raise malformed(number, f"`{name}` needs a `value`.", f"`{name}` demande une `value`.")
    return _Operation(name, path, source, value, f"{name} {operation['path']}")


def _pointer(number: int, operation: dict[str, Any], member: str) -> tuple[str, ...]:
    text = operation.get(member)
    tokens = text.split("/") if isinstance(text, str) else ["?"]
    if tokens[0] or len(tokens) > DEPTH_LIMIT + 1 or any(map(_wrong_escape, tokens)):
        raise malformed(
            number,
            f"`{member}` must be a JSON Pointer, such as `/name/0/family`.",
            f"`{member}` doit être un pointeur JSON, tel que `/name/0/family`.",
        )
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens[1:])


def _fhir_type(document: Any) -> str:
    name = document.get("resourceType") if type(document) is dict else None
    return name if type(name) is str else ""


def _fhirpath(root: str, path: tuple[str, ...]) -> str:
    """Returns the pointer as FHIRPath: `/name/0/family` is `Patient.name[0].family`."""
    steps = (f"[{token}]" if _index(token) else "" if token == _END else f".{token}" for token in path)
    return root + "".join(steps) if root else ""


def _written(path: tuple[str, ...]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path) or "(the whole)"


def _find(document: Any, path: tuple[str, ...]) -> Any:
    for depth, token in enumerate(path):
        if type(document) is dict and token in document:
            document = document[token]
        elif type(document) is list and _index(token) and int(token) < len(document):
            document = document[int(token)]
        else:
            raise _missing(path[: depth + 1])
    return document


def _missing(path: tuple[str, ...]) -> Inapplicable:
    return Inapplicable(f"`{_written(path)}` does not exist.", f"`{_written(path)}` n’existe pas.")


def _put(document: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    parent, token = _find(document, path[:-1]), path[-1]
    if type(parent) is dict:
        parent[token] = value
    elif type(parent) is list:
        parent.insert(_insertion(parent, path), value)
    else:
        raise Inapplicable(
            f"`{_written(path[:-1])}` is neither an object nor an array.",
            f"`{_written(path[:-1])}` n’est ni un objet ni un tableau.",
        )
    return document


def _insertion(values: list[Any], path: tuple[str, ...]) -> int:
    token = path[-1]
    if token == _END:
        return len(values)
    if not _index(token) or int(token) > len(values):
        raise Inapplicable(
            f"`{token}` is no index of `{_written(path[:-1])}`; it takes 0 to {len(values)}, or `-` for the end.",
            f"`{token}` n’est pas un indice de `{_written(path[:-1])}` ; permis : 0 à {len(values)}, `-` pour la fin.",
        )
    return int(token)


def _take(document: Any, path: tuple[str, ...]) -> Any:
    """Removes and returns what stands there."""
    value = _find(document, path)
    parent, token = _find(document, path[:-1]), path[-1]
    if type(parent) is dict:
        del parent[token]
    else:
        del parent[int(token)]
    return value


def _add(document: Any, operation: _Operation) -> Any:
    return _put(document, operation.path, copied(operation.value))


def _remove(document: Any, operation: _Operation) -> Any:
    if not operation.path:
        return None
    _take(document, operation.path)
    return document


def _replace(document: Any, operation: _Operation) -> Any:
    path = operation.path
    _find(document, path)
    if not path:
        return copied(operation.value)
    parent = _find(document, path[:-1])
    parent[path[-1] if type(parent) is dict else int(path[-1])] = copied(operation.value)
    return document


def _move(document: Any, operation: _Operation) -> Any:
    source, path = operation.source, operation.path
    if path[: len(source)] == source:
        if path == source:
            _find(document, source)
            return document
        raise Inapplicable(
            f"`{_written(source)}` cannot move into itself.", f"`{_written(source)}` ne peut pas entrer en lui-même."
        )
    return _put(document, path, _take(document, source))


def _copy(document: Any, operation: _Operation) -> Any:
    return _put(document, operation.path, copied(_find(document, operation.source)))


def _test(document: Any, operation: _Operation) -> Any:
    if not _is_equal(_find(document, operation.path), operation.value):
        raise Inapplicable("the value there is another one.", "la valeur à cet endroit est différente.")
    return document


def _is_equal(one: Any, other: Any) -> bool:
    """Says whether both are the same JSON: numbers by value (`1.0` is `1`), never a number and a truth value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    if type(one) in (int, Decimal) and type(other) in (int, Decimal):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


_RUNNERS: dict[str, Callable[[Any, _Operation], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
