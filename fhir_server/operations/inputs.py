"""Inputs of an operation, from the URL or from a Parameters resource, checked against its definition.

https://hl7.org/fhir/R4/operations.html#executing
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.operations.operation import Operation, Parameter
from fhir_server.spec.primitives import check

Inputs = dict[str, list[Any]]
_PRIMITIVES = frozenset({"boolean", "code", "date", "instant", "integer", "positiveInt", "string", "id", "uri"})
_WHOLE = frozenset({"integer", "positiveInt"})


def from_query(operation: Operation, query: Sequence[tuple[str, str]]) -> tuple[Inputs, list[tuple[str, str]]]:
    """Returns the inputs in a URL, and the parameters of a search where the operation searches.

    Raises InvalidContent, naming the parameters that there are, for one that is unknown, repeated or malformed.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    inputs: Inputs = {}
    search: list[tuple[str, str]] = []
    for name, text in query:
        parameter = known.get(name)
        if parameter is None:
            if not operation.searches:
                raise _unknown(operation, name)
            search.append((name, text))
        elif parameter.type not in _PRIMITIVES:
            raise _wrong(operation, parameter, text, f"Parameters.parameter.{parameter.element}")
        else:
            # A list in one parameter, `_type=Observation,Condition`, is how clients repeat a code in a URL.
            for part in text.split(",") if parameter.repeats else (text,):
                _add(inputs, operation, parameter, _read(operation, parameter, part))
    return inputs, search


def from_parameters(
    operation: Operation, resource: Mapping[str, Any]
) -> tuple[Inputs, list[tuple[str, str]], list[tuple[str, str]]]:
    """Returns the inputs in a valid Parameters resource, the parameters of a search, and all that are texts, as texts.

    Raises InvalidContent as `from_query` does, and for a value of another type than the parameter has.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    inputs: Inputs = {}
    search: list[tuple[str, str]] = []
    sent: list[tuple[str, str]] = []
    for number, entry in enumerate(resource.get("parameter", ())):
        place = f"Parameters.parameter[{number}]"
        name = entry["name"]
        parameter = known.get(name)
        text = _text(entry)
        if parameter is None:
            if not operation.searches or text is None:
                raise _unknown(operation, name, place)
            search.append((name, text))
        else:
            _add(inputs, operation, parameter, _value(operation, parameter, entry, text, place), place)
        if text is not None:
            sent.append((name, text))
    return inputs, search, sent


def require(operation: Operation, inputs: Inputs) -> None:
    """Raises InvalidContent where a parameter that must be there was not sent."""
    missing = [parameter.name for parameter in operation.parameters if parameter.is_required and not inputs.get(parameter.name)]
    if missing:
        raise InvalidContent(
            f"`${operation.code}` needs `{missing[0]}`. {_listed(operation)[0]}",
            f"`${operation.code}` demande `{missing[0]}`. {_listed(operation)[1]}",
            rule="operation-parameter-missing",
        )


def _value(operation: Operation, parameter: Parameter, entry: Mapping[str, Any], text: str | None, place: str) -> Any:
    if parameter.type in _PRIMITIVES:
        # R4 calls a date `start` and lets clients send it as a dateTime, or a code as a string: the value counts.
        if text is None:
            raise _wrong(operation, parameter, _name_of_value(entry), f"{place}.{parameter.element}")
        return _read(operation, parameter, text, place)
    if parameter.element not in entry:
        raise _wrong(operation, parameter, _name_of_value(entry), f"{place}.{parameter.element}")
    return entry[parameter.element]


def _read(operation: Operation, parameter: Parameter, text: str, place: str = "") -> Any:
    """Returns the value of a primitive that was written as text."""
    value: Any = text
    if parameter.type == "boolean":
        value = {"true": True, "false": False}.get(text)
    elif parameter.type in _WHOLE:
        value = int(text) if text.lstrip("-").isdecimal() and text.isascii() and len(text) < 10 else None
    if value is None or not check(parameter.type, value):
        raise _wrong(operation, parameter, text, place)
    return value


def _add(inputs: Inputs, operation: Operation, parameter: Parameter, value: Any, place: str = "") -> None:
    values = inputs.setdefault(parameter.name, [])
    if values and not parameter.repeats:
        raise InvalidContent(
            f"`${operation.code}` takes `{parameter.name}` once.",
            f"`${operation.code}` n'admet `{parameter.name}` qu'une fois.",
            rule="operation-parameter-repeated",
            expression=[place] if place else (),
        )
    values.append(value)


def _text(entry: Mapping[str, Any]) -> str | None:
    """Returns the primitive value of an entry as it would be written in a URL, None where it has none."""
    for name, value in entry.items():
        if name.startswith("value") and type(value) in (str, int, bool, Decimal):
            return str(value).lower() if type(value) is bool else str(value)
    return None


def _name_of_value(entry: Mapping[str, Any]) -> str:
    names = (name for name in entry if name.startswith("value") or name in ("resource", "part"))
    return next(names, "nothing")


def _unknown(operation: Operation, name: str, place: str = "") -> InvalidContent:
    english, french = _listed(operation)
    return InvalidContent(
        f"`${operation.code}` has no parameter `{name}`. {english}",
        f"`${operation.code}` n'a pas de paramètre `{name}`. {french}",
        rule="operation-parameter-unknown",
        expression=[place] if place else (),
    )


def _wrong(operation: Operation, parameter: Parameter, sent: str, place: str) -> InvalidContent:
    return InvalidContent(
        f"`{parameter.name}` of `${operation.code}` must be of type `{parameter.type}`, not `{sent}`.",
        f"`{parameter.name}` de `${operation.code}` doit être de type `{parameter.type}`, et non `{sent}`.",
        rule="operation-parameter-type",
        expression=[place] if place else (),
    )


def _listed(operation: Operation) -> tuple[str, str]:
    """Returns the sentence about the parameters that there are, in English and in French."""
    names = _joined(parameter.name for parameter in operation.parameters)
    if operation.searches:
        return f"It takes {names} and search parameters.", f"Sont admis {names} et les paramètres de recherche."
    if not operation.parameters:
        return "It takes no parameters.", "Aucun paramètre n'est admis."
    return f"It takes {names}.", f"Sont admis : {names}."


def _joined(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
