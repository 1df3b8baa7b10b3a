"""Queries for every search parameter of every type of a world, built from the values that occur in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from tests.oracle import composites, concepts, quantities, references, strings
from tests.oracle.definitions import Parameter, parameters
from tests.oracle.query import Criterion, Search
from tests.oracle.text import PREFIXES, escape
from tests.oracle.tokens import texts, tokens
from tests.oracle.values import Resource, Value
from tests.oracle.world import World

ABSENT: Mapping[str, str] = {
    "string": "zzyzx",
    "token": "no-such-code",
    "reference": "no-such-id",
    "date": "1799-12-31",
    "number": "987654.321",
    "quantity": "987654.321|http://unitsofmeasure.org|mg",
    "uri": "http://nowhere.example/absent",
}
"""A value that does not occur, by parameter type."""
OTHER_UNITS = ("mg", "kg", "cm", "h", "kPa", "Cel", "%")
"""Units that a value is asked for in besides its own."""
ALWAYS = 4
"""How many searches of each parameter are never left out: `:missing` both ways, what does not occur, what does."""


def searches(world: World, *, values: int, step: int) -> Iterator[Search]:
    """Yields searches for each parameter of each type that is there: what occurs, what does not, and modifiers.

    At most `values` values of each parameter are taken, spread evenly over the world. With a `step` above 1, only
    every so many of the searches of one parameter, other ones for its neighbour; the first ones always.
    """
    for resource_type in world.types:
        for number, parameter in enumerate(parameters(resource_type).values()):
            if parameter.type != "special":
                criteria = dict.fromkeys(criteria_of(parameter, world, values))
                for place, criterion in enumerate(criteria):
                    if place < ALWAYS or (place + number) % step == 0:
                        yield Search(resource_type, (criterion,))


def criteria_of(parameter: Parameter, world: World, count: int) -> Iterator[Criterion]:
    """Yields criteria on one parameter from at most `count` of its values."""
    code = parameter.code
    if code not in ("_lastUpdated", "_id"):
        yield Criterion(code, ("true",), "missing")
        yield Criterion(code, ("false",), "missing")
    if parameter.type != "composite":
        yield Criterion(code, (ABSENT[parameter.type],))
    found = [
        (resource, value)
        for resource in world.of_type(parameter.resource_type)
        for value in world.values(parameter, resource)
    ]
    for resource, value in found[:: max(1, -(-len(found) // count))]:
        if parameter.type == "composite":
            yield from _composite(parameter, value, resource)
        else:
            yield from CRITERIA[parameter.type](parameter, value)


def _composite(parameter: Parameter, value: Value, resource: Resource) -> Iterator[Criterion]:
    """Yields the first criteria of each part together, then each with the next of the other."""
    texts = [
        [each.value for one in found for each in CRITERIA[part.type](part, one) if is_plain(each)]
        or [ABSENT[part.type]]
        for part, found in composites.parts(parameter, value, resource)
    ]
    for numbers in islice(product(*(range(min(len(each), 4)) for each in texts)), 12):
        chosen = (each[number] for each, number in zip(texts, numbers, strict=True))
        yield Criterion(parameter.code, ("$".join(chosen),))


def is_plain(criterion: Criterion) -> bool:
    """True for a criterion with one value and without a modifier."""
    return criterion.modifier is None and len(criterion.values) == 1


def _string(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    for text in strings.texts(value):
        begin, middle = text[:12].strip(), text[2:9].strip()
        if any(each.isalnum() for each in begin):
            yield Criterion(parameter.code, (escape(begin.upper()),))
            yield Criterion(parameter.code, (escape(begin[:3]), ABSENT["string"]))
        if any(each.isalnum() for each in middle):
            yield Criterion(parameter.code, (escape(middle),), "contains")
        yield Criterion(parameter.code, (escape(text),), "exact")
        yield Criterion(parameter.code, (escape(text.swapcase()),), "exact")


def _token(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    code = parameter.code
    if code == "_id":
        yield Criterion(code, (value.content,))
        yield Criterion(code, (value.content, ABSENT["token"]), "not")
        return
    for token in tokens(parameter, value):
        if not token.code:
            continue
        text = escape(token.code)
        yield Criterion(code, (text,))
        yield Criterion(code, (text, ABSENT["token"]))
        yield Criterion(code, (text,), "not")
        yield Criterion(code, (text.swapcase(),))
        for system in token.systems:
            name = escape(system or "")
            yield Criterion(code, (f"{name}|{text}",))
            yield Criterion(code, (f"{name}x|{text}",))
            yield Criterion(code, (f"{name}|{text}",), "not")
            if system:
                yield Criterion(code, (f"{name}|",))
                yield from _related(parameter, system, token.code)
        yield from _by_type(parameter, value, token.code)
    for each in texts(value):
        yield Criterion(code, (escape(each[:9].swapcase()),), "text")


def _related(parameter: Parameter, system: str, code: str) -> Iterator[Criterion]:
    """Yields what asks for codes that are related, where this code and its system are known."""
    text = f"{escape(system)}|{escape(code)}"
    line = next((line for line in concepts.lines_of_descent(system) if line[-1] == code), ())
    if line:
        yield Criterion(parameter.code, (text,), "below")
        yield Criterion(parameter.code, (text,), "above")
        yield Criterion(parameter.code, (f"{escape(system)}|{escape(line[0])}",), "below")
    value_set = concepts.value_set_with(system)
    if value_set is not None:
        yield Criterion(parameter.code, (value_set,), "in")
        yield Criterion(parameter.code, (value_set,), "not-in")


def _by_type(parameter: Parameter, value: Value, text: str) -> Iterator[Criterion]:
    codings = value.content.get("type", {}).get("coding", ()) if value.type == "Identifier" else ()
    for coding in codings:
        if coding.get("code") and coding.get("system"):
            kind = f"{escape(coding['system'])}|{escape(coding['code'])}"
            yield Criterion(parameter.code, (f"{kind}|{escape(text)}",), "of-type")
            yield Criterion(parameter.code, (f"{kind}x|{escape(text)}",), "of-type")


def _reference(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    code, key = parameter.code, references.target(value)
    if key is not None:
        yield Criterion(code, ("/".join(key),))
        yield Criterion(code, (f"{references.BASE_URL}/{'/'.join(key)}",))
        if key[0] in parameter.targets:
            yield Criterion(code, (key[1],))
            yield Criterion(code, (key[1],), key[0])
    elif isinstance(value.content, str):
        yield Criterion(code, (escape(value.content),))
        yield Criterion(code, (escape(value.content.partition("|")[0]),))
    elif "://" in value.content.get("reference", ""):
        yield Criterion(code, (escape(value.content["reference"]),))
    identifier: Any = value.content.get("identifier", {}) if isinstance(value.content, Mapping) else {}
    if isinstance(identifier, Mapping) and identifier.get("value"):
        text = f"{escape(identifier.get('system', ''))}|{escape(identifier['value'])}"
        yield Criterion(code, (text,), "identifier")


def _date(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    for text in _written_dates(value.content):
        yield Criterion(parameter.code, (text,))
        for prefix in PREFIXES:
            if prefix == "ap" and parameter.code == "_lastUpdated":
                continue  # what is near to now moves while the test runs
            yield Criterion(parameter.code, (f"{prefix}{text[:10]}",))
            if len(text) > 10:
                yield Criterion(parameter.code, (f"{prefix}{text}",))


def _written_dates(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        if content[:4].isdigit():
            yield content
    elif isinstance(content, Mapping):
        for each in ("start", "end"):
            if each in content:
                yield content[each]
        yield from (event for event in content.get("event", ()) if event)


def _number(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    if not isinstance(value.content, Mapping):
        for prefix in ("", *PREFIXES):
            yield Criterion(parameter.code, (f"{prefix}{value.content}",))


def _quantity(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    for amount in quantities.amounts(value):
        number = amount.extent.low if amount.extent.low is not None else amount.extent.high
        if number is None:
            continue
        text = str(value.content.get("value", float(number)))
        system, code = escape(amount.unit.get("system") or ""), escape(amount.unit.get("code") or "")
        for prefix in ("", *PREFIXES):
            yield Criterion(parameter.code, (f"{prefix}{text}",))
            if code:
                yield Criterion(parameter.code, (f"{prefix}{text}|{system}|{code}",))
        if code:
            yield Criterion(parameter.code, (f"{text}||{code}",))
        for other in OTHER_UNITS:
            yield Criterion(parameter.code, (f"ge{text}|{system}|{other}",))
            yield Criterion(parameter.code, (f"lt{float(number) * 1000:.6g}||{other}",))
        if amount.unit.get("unit"):
            yield Criterion(parameter.code, (f"{text}||{escape(amount.unit['unit'])}",))


def _uri(parameter: Parameter, value: Value) -> Iterator[Criterion]:
    text = str(value.content)
    yield Criterion(parameter.code, (escape(text),))
    yield Criterion(parameter.code, (escape(text[:-1]),))
    if text.count("/") > 2:
        yield Criterion(parameter.code, (escape(text.rpartition("/")[0]),), "below")
        yield Criterion(parameter.code, (escape(f"{text}/more"),), "above")


CRITERIA = {
    "string": _string,
    "token": _token,
    "reference": _reference,
    "date": _date,
    "number": _number,
    "quantity": _quantity,
    "uri": _uri,
}
"""Parameter type → criteria from one value that occurs."""
