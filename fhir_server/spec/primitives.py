"""What each R4 primitive allows as a JSON value. https://hl7.org/fhir/R4/datatypes.html#primitive

The regular expressions are R4's; added is what they cannot say: the calendar (2023-02-30), the ranges of integers,
sound base64, no control characters. JSON numbers are `int` or `Decimal`, never `float`.
"""

import binascii
import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from typing import Any

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY = r"(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[1-2][0-9]|3[0-1])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

_date = re.compile(f"(?P<year>{_YEAR})(-{_DAY}|-(0[1-9]|1[0-2]))?").fullmatch
_date_time = re.compile(f"(?P<year>{_YEAR})(-{_DAY}(T{_TIME}{_ZONE})?|-(0[1-9]|1[0-2]))?").fullmatch
_instant = re.compile(f"(?P<year>{_YEAR})-{_DAY}T{_TIME}{_ZONE}").fullmatch
_time = re.compile(_TIME).fullmatch
_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_oid = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+").fullmatch
_uuid = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_code = re.compile(r"[^\s]+(\s[^\s]+)*", re.ASCII).fullmatch
_uri = re.compile(r"\S+", re.ASCII).fullmatch
_control = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]").search
_white_space = re.compile(r"[ \t\r\n]+")

MAX_STRING_LENGTH = 1024 * 1024
"""https://hl7.org/fhir/R4/datatypes.html#string: "strings SHALL NOT exceed 1MB"."""
_ALWAYS_IN_MONTH = "28"


def is_string(value: Any) -> bool:
    return (
        type(value) is str
        and value != ""
        and (value.isprintable() or not _control(value))
        and len(value) <= MAX_STRING_LENGTH
    )


def is_markdown(value: Any) -> bool:
    return type(value) is str and value != "" and (value.isprintable() or not _control(value))


def is_code(value: Any) -> bool:
    if type(value) is not str or value == "":
        return False
    if value.isalnum():
        return True
    return _code(value) is not None and not _control(value)


def is_uri(value: Any) -> bool:
    return type(value) is str and _uri(value) is not None


def is_id(value: Any) -> bool:
    return type(value) is str and _id(value) is not None


def is_oid(value: Any) -> bool:
    return type(value) is str and _oid(value) is not None


def is_uuid(value: Any) -> bool:
    return type(value) is str and _uuid(value) is not None


def is_time(value: Any) -> bool:
    return type(value) is str and _time(value) is not None


def _is_in_calendar(match: re.Match[str] | None) -> bool:
    if match is None:
        return False
    day = match["day"]
    if day is None or day <= _ALWAYS_IN_MONTH:
        return True
    return int(day) <= monthrange(int(match["year"]), int(match["month"]))[1]


def is_date(value: Any) -> bool:
    return type(value) is str and _is_in_calendar(_date(value))


def is_date_time(value: Any) -> bool:
    return type(value) is str and _is_in_calendar(_date_time(value))


def is_instant(value: Any) -> bool:
    return type(value) is str and _is_in_calendar(_instant(value))


def is_boolean(value: Any) -> bool:
    return value is True or value is False


def is_integer(value: Any) -> bool:
    return type(value) is int and -2147483648 <= value <= 2147483647


def is_unsigned_int(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 2147483647


def is_positive_int(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 2147483647


def is_decimal(value: Any) -> bool:
    return type(value) is int or (type(value) is Decimal and value.is_finite())


def is_base64(value: Any) -> bool:
    """True for base64 with padding; R4 allows white space between the characters."""
    if type(value) is not str or not value.isascii():
        return False
    packed = value
    if any(space in value for space in " \n\r\t"):
        packed = _white_space.sub("", value)
    if packed == "" or len(packed) % 4:
        return False
    try:
        binascii.a2b_base64(packed, strict_mode=True)
    except binascii.Error:
        return False
    return True


CHECKS: dict[str, Callable[[Any], bool]] = {
    "base64Binary": is_base64,
    "boolean": is_boolean,
    "canonical": is_uri,
    "code": is_code,
    "date": is_date,
    "dateTime": is_date_time,
    "decimal": is_decimal,
    "id": is_id,
    "instant": is_instant,
    "integer": is_integer,
    "markdown": is_markdown,
    "oid": is_oid,
    "positiveInt": is_positive_int,
    "string": is_string,
    "time": is_time,
    "unsignedInt": is_unsigned_int,
    "uri": is_uri,
    "url": is_uri,
    "uuid": is_uuid,
    "xhtml": is_markdown,
}
"""One predicate per primitive type, for those who check many values of one type."""

PATTERNS: dict[str, Callable[[str], object | None]] = {
    "canonical": _uri,
    "id": _id,
    "oid": _oid,
    "time": _time,
    "uri": _uri,
    "url": _uri,
    "uuid": _uuid,
}
"""The full match of the types that a regular expression says all about; None where it does not match."""


def check(type_name: str, value: Any) -> bool:
    """Returns True where `value`, as parsed from JSON, is a value of the R4 primitive `type_name`.

    Raises KeyError for a name that is not a primitive type of R4.
    """
    return CHECKS[type_name](value)
