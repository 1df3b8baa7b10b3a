"""One search parameter with its modifier and values → Clause.

https://hl7.org/fhir/R4/search.html#modifiers, https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.index import TYPES, SearchParameter, SearchParameterRegistry, modifiers_of
from fhir_server.index.entries import split, split_prefix
from fhir_server.search.criteria import Clause, Value
from fhir_server.search.refusals import invalid_value, unknown_parameter, unsupported
from fhir_server.search.result_parameters import RESULT_PARAMETERS

if TYPE_CHECKING:
    from fhir_server.errors import FhirError


class IgnorableError(Exception):
    """A refusal that a lenient search turns into a warning; `error` is what a strict one raises."""

    def __init__(self, error: FhirError) -> None:
        super().__init__(error.english)
        self.error = error


def parse_clause(
    resource_type: str, name: str, modifier: str | None, value: str, registry: SearchParameterRegistry
) -> Clause:
    """Returns one clause; `name` is without its modifier.

    Raises IgnorableError for a parameter that the type does not have or that has no value, NotSupported and
    InvalidContent for modifiers and values that are wrong.
    """
    parameter = find_parameter(resource_type, name, registry)
    if not value:
        raise IgnorableError(invalid_value(name, value, "it has no value", "il n'a pas de valeur"))
    if "\0" in value:
        raise invalid_value(name, "\\0", "it has a null character", "il contient un caractère nul")
    _check_modifier(parameter, modifier)
    if modifier == "missing":
        if value not in ("true", "false"):
            expected = "`true` or `false` is expected", "`true` ou `false` est attendu"
            raise invalid_value(f"{name}:missing", value, *expected)
        return Clause(parameter, (Value(value),), modifier)
    return Clause(parameter, tuple(_value(parameter, name, text) for text in split(value, ",")), modifier)


def find_parameter(resource_type: str, code: str, registry: SearchParameterRegistry) -> SearchParameter:
    """Returns the parameter of that name.

    Raises IgnorableError where the type has none, NotSupported where FHIR has it and this server does not.
    """
    parameter = registry.find(resource_type, code)
    if parameter is not None:
        return parameter
    if registry.is_unavailable(resource_type, code):
        raise unsupported(code, registry.for_type(resource_type))
    valid = (*registry.for_type(resource_type), "_has", *RESULT_PARAMETERS)
    raise IgnorableError(unknown_parameter(code, resource_type, valid))


def _check_modifier(parameter: SearchParameter, modifier: str | None) -> None:
    valid = modifiers_of(parameter)
    if modifier is not None and modifier not in valid:
        raise unsupported(f"{parameter.code}:{modifier}", (f"{parameter.code}:{each}" for each in valid))


def _value(parameter: SearchParameter, name: str, text: str) -> Value:
    if not text:
        expected = "a value between commas is empty", "une valeur entre virgules est vide"
        raise invalid_value(name, text, *expected)
    prefix, rest = split_prefix(text, TYPES[parameter.type].PREFIXES)
    return Value(rest, prefix)
