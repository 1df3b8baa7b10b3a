"""Inputs of an operation, from the URL or from a Parameters resource, checked against its definition.

https://hl7.org/fhir/R4/operations.html#executing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.operations.operation import Operation, Parameter
from fhir_server.spec.primitives import check

_PRIMITIVES = frozenset(
    {
        "boolean",
        "canonical",
        "code",
        "date",
        "dateTime",
        "id",
        "instant",
        "integer",
        "positiveInt",
        "string",
        "uri",
        "uuid",
    }
)
_WHOLE = frozenset({"integer", "positiveInt"})


@dataclass(frozen=True, slots=True)
class Inputs:
    """`values` of each parameter that was sent; `search` are the other parameters, of operations that search.

    `texts` are all that can be written in a URL, in their order, for links.
    """

    values: dict[str, list[Any]] = field(default_factory=dict)
    search: list[tuple[str, str]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def one(self, name: str) -> Any:
        """Returns the value of a parameter that does not repeat, None where it was not sent."""
        values = self.values.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[Any]:
        """Returns the values of a parameter that repeats."""
        return self.values.get(name, [])

    def add(self, operation: Operation, parameter: Parameter, value: Any, place: str = "") -> None:
        """Adds a value; raises InvalidContent for a second one of a parameter that does not repeat."""
        values = self.values.setdefault(parameter.name, [])
        if values and not parameter.repeats:
            raise InvalidContent(
                f"`${operation.code}` takes `{parameter.name}` once.",
                f"`${operation.code}` n'admet `{parameter.name}` qu'une fois.",
                rule="operation-parameter-repeated",
                expression=[place] if place else (),
            )
        values.append(value)

    def complete(self, operation: Operation) -> Inputs:
        """Returns these inputs; raises InvalidContent where a parameter that must be there was not sent."""
        for parameter in operation.parameters:
            if parameter.is_required and not self.values.get(parameter.name):
                english, french = _listed(operation)
                raise InvalidContent(
                    f"`${operation.code}` needs `{parameter.name}`. {english}",
                    f"`${operation.code}` demande `{parameter.name}`. {french}",
                    rule="operation-parameter-missing",
                )
        return self


def from_query(operation: Operation, query: Sequence[tuple[str, str]]) -> Inputs:
    """Returns the inputs in a URL.

    Raises InvalidContent, naming the parameters that there are, for one that is unknown, repeated or malformed.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    inputs = Inputs(texts=list(query))
    for name, text in query:
        parameter = known.get(name)
        if parameter is None:
            if not operation.searches:
                raise _unknown(operation, name)
            inputs.search.append((name, text))
        elif parameter.type not in _PRIMITIVES:
            raise _wrong(operation, parameter, text)
        else:
            # `_type=Observation,Condition` is how clients repeat a code in a URL.
            for part in text.split(",") if parameter.repeats else (text,):
                inputs.add(operation, parameter, _read(operation, parameter, part))
    return inputs


def from_parameters(operation: Operation, resource: Mapping[str, Any]) -> Inputs:
    """Returns the inputs in a valid Parameters resource.

    Raises InvalidContent as `from_query` does, and for a value of another type than the parameter has.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    inputs = Inputs()
    for number, entry in enumerate(resource.get("parameter", ())):
        place = f"Parameters.parameter[{number}]"
        name, text = entry["name"], _text(entry)
        parameter = known.get(name)
        if parameter is not None:
            inputs.add(operation, parameter, _value(operation, parameter, entry, place), place)
        elif operation.searches and text is not None:
            inputs.search.append((name, text))
        else:
            raise _unknown(operation, name, place)
        if text is not None:
            inputs.texts.append((name, text))
    return inputs


def join(operation: Operation, first: Inputs, second: Inputs) -> Inputs:
    """Returns the inputs of both; raises InvalidContent where one that does not repeat is in both."""
    known = {parameter.name: parameter for parameter in operation.parameters}
    for name, values in second.values.items():
        for value in values:
            first.add(operation, known[name], value)
    return Inputs(first.values, first.search + second.search, first.texts + second.texts)


def _value(operation: Operation, parameter: Parameter, entry: Mapping[str, Any], place: str) -> Any:
    if parameter.type not in _PRIMITIVES:
        if parameter.element in entry and _is_of_type(parameter, entry[parameter.element]):
            return entry[parameter.element]
    # Clients send a date as a dateTime, or a code as a string: where the value itself fits, it counts.
    elif (text := _text(entry)) is not None:
        return _read(operation, parameter, text, place)
    sent = next((name for name in entry if name.startswith("value") or name in ("resource", "part")), "nothing")
    if sent == "resource":
        sent = entry["resource"]["resourceType"]
    raise _wrong(operation, parameter, sent, place)


def _is_of_type(parameter: Parameter, value: Any) -> bool:
    """True unless the parameter is a resource of one type and the value one of another."""
    return parameter.element != "resource" or parameter.type in ("Resource", value.get("resourceType"))


def _read(operation: Operation, parameter: Parameter, text: str, place: str = "") -> Any:
    """Returns the value of a primitive that was written as text."""
    value: Any = text
    if parameter.type == "boolean":
        value = {"true": True, "false": False}.get(text)
    elif parameter.type in _WHOLE:
        value = int(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 10 else None
    if value is None or not check(parameter.type, value):
        raise _wrong(operation, parameter, text, place)
    return value


def _text(entry: Mapping[str, Any]) -> str | None:
    """Returns the primitive value of an entry as it would be written in a URL, None where it has none."""
    for name, value in entry.items():
        if name.startswith("value") and type(value) in (str, int, bool, Decimal):
            return str(value).lower() if type(value) is bool else str(value)
    return None


def _unknown(operation: Operation, name: str, place: str = "") -> InvalidContent:
    english, french = _listed(operation)
    return InvalidContent(
        f"`${operation.code}` has no parameter `{name}`. {english}",
        f"`${operation.code}` n'a pas de paramètre `{name}`. {french}",
        rule="operation-parameter-unknown",
        expression=[place] if place else (),
    )


def _wrong(operation: Operation, parameter: Parameter, sent: str, place: str = "") -> InvalidContent:
    how, comment = "", ""
    if parameter.type not in _PRIMITIVES:
        how = f" It goes into `{parameter.element}` of a Parameters resource."
        comment = f" Il se place dans `{parameter.element}` d'une ressource Parameters."
    return InvalidContent(
        f"`{parameter.name}` of `${operation.code}` must be of type `{parameter.type}`, not `{sent}`.{how}",
        f"`{parameter.name}` de `${operation.code}` doit être de type `{parameter.type}`, et non `{sent}`.{comment}",
        rule="operation-parameter-type",
        expression=[place] if place else (),
    )


def _listed(operation: Operation) -> tuple[str, str]:
    """Returns the sentence about the parameters that there are, in English and in French."""
    names = ", ".join(f"`{parameter.name}`" for parameter in operation.parameters)
    if operation.searches:
        return f"It takes {names} and search parameters.", f"Sont admis {names} et les paramètres de recherche."
    if not operation.parameters:
        return "It takes no parameters.", "Aucun paramètre n'est admis."
    return f"It takes {names}.", f"Sont admis : {names}."
