"""Whether one value of a resource is what one value of a search asks for, by the type of the parameter."""

from __future__ import annotations

from tests.oracle import dates, numbers, quantities, references, strings, tokens, uris
from tests.oracle.definitions import Parameter
from tests.oracle.values import Value


def matches(parameter: Parameter, value: Value, modifier: str | None, text: str) -> bool:
    """True where one value of a resource is what one value of a search asks for."""
    match parameter.type:
        case "string":
            return strings.matches(value, modifier, text)
        case "token":
            return tokens.matches(parameter, value, modifier, text)
        case "reference":
            return references.matches(parameter, value, modifier, text)
        case "date":
            return dates.matches(value, text)
        case "number":
            return numbers.matches(value, text)
        case "quantity":
            return quantities.matches(value, text)
        case "uri":
            return uris.matches(value, modifier, text)
    raise AssertionError(parameter)


def is_present(parameter: Parameter, value: Value) -> bool:
    """True where a value counts for `:missing`: there is something that a search of this type can find."""
    match parameter.type:
        case "string":
            return any(strings.texts(value))
        case "token":
            return tokens.is_present(value)
        case "reference":
            return references.is_present(value)
        case "date":
            return bool(dates.spans(value))
        case "number":
            return bool(numbers.extents(value))
        case "quantity":
            return bool(quantities.amounts(value))
    return True
