"""What R4's primitives allow. https://hl7.org/fhir/R4/datatypes.html#primitive"""

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.spec.definitions import structure_definitions
from fhir_server.spec.primitives import CHECKS, MAX_STRING_LENGTH, check

RIGHT: list[tuple[str, Any]] = [
    ("boolean", True), ("boolean", False),
    ("integer", 0), ("integer", -2147483648), ("integer", 2147483647),
    ("unsignedInt", 0), ("unsignedInt", 2147483647), ("positiveInt", 1),
    ("decimal", 1), ("decimal", Decimal("1.00")), ("decimal", Decimal("1E-22")), ("decimal", Decimal("-0.5")),
    ("string", "x"), ("string", " x "), ("string", "a\r\n\tb"), ("string", "é\u00a0漢字"),
    ("string", "x" * MAX_STRING_LENGTH),
    ("markdown", "# x\n\n* y"),
    ("code", "a"), ("code", "a b"), ("code", "a-b_c+d"), ("code", "/min"),
    ("id", "a"), ("id", "A-1.b"), ("id", "a" * 64),
    ("uri", "http://x"), ("uri", "urn:oid:1.2"), ("uri", "é"), ("url", "mailto:a@b"), ("canonical", "http://x|1"),
    ("oid", "urn:oid:1.2.250.1.213"), ("oid", "urn:oid:2.0"),
    ("uuid", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
    ("date", "2024"), ("date", "2024-02"), ("date", "2024-02-29"), ("date", "0001-01-01"), ("date", "9999-12-31"),
    ("dateTime", "2024"), ("dateTime", "2024-02"), ("dateTime", "2024-02-29"),
    ("dateTime", "2024-02-29T23:59:60Z"), ("dateTime", "2024-02-29T00:00:00.123456789+14:00"),
    ("instant", "2024-02-29T10:00:00Z"), ("instant", "2024-02-29T10:00:00.1-13:59"),
    ("time", "00:00:00"), ("time", "23:59:59.999"),
    ("base64Binary", "Zm9v"), ("base64Binary", "Zm8="), ("base64Binary", "Zm9v\r\n Zg=="),
    ("xhtml", "<div/>"),
]  # fmt: skip

WRONG: list[tuple[str, Any]] = [
    ("boolean", 1), ("boolean", "true"), ("boolean", None),
    ("integer", 2147483648), ("integer", -2147483649), ("integer", True), ("integer", Decimal("1.0")), ("integer", "1"),
    ("unsignedInt", -1), ("positiveInt", 0), ("positiveInt", True),
    ("decimal", "1"), ("decimal", True), ("decimal", Decimal("NaN")), ("decimal", Decimal("Infinity")),
    ("string", ""), ("string", "a\x00"), ("string", "\x1f"), ("string", 1), ("string", None), ("string", ["x"]),
    ("string", "x" * (MAX_STRING_LENGTH + 1)),
    ("markdown", ""), ("markdown", "\x08"),
    ("code", ""), ("code", " a"), ("code", "a "), ("code", "a  b"), ("code", "a\n"), ("code", 1),
    ("id", ""), ("id", "a" * 65), ("id", "a_b"), ("id", "a\n"), ("id", "é"),
    ("uri", ""), ("uri", "a b"), ("uri", "a\n"), ("url", "a\tb"), ("canonical", " a"),
    ("oid", "1.2.3"), ("oid", "urn:oid:3.1"), ("oid", "urn:oid:1.02"), ("oid", "urn:oid:1"),
    ("uuid", "c757873d-ec9a-4326-a141-556f43239520"), ("uuid", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"),
    ("date", "2023-02-29"), ("date", "2023-02-30"), ("date", "2024-04-31"), ("date", "0000"), ("date", "2024-00"),
    ("date", "24"), ("date", "2024-1-1"), ("date", "20240101"), ("date", "2024-W01"), ("date", "2024-01-01T00:00:00Z"),
    ("date", 2024),
    ("dateTime", "2024-01-01T10:00Z"), ("dateTime", "2024-01-01T10:00:00"), ("dateTime", "2024-01-01T24:00:00Z"),
    ("dateTime", "2024-01T10:00:00Z"), ("dateTime", "2100-02-29T10:00:00Z"), ("dateTime", "2024-01-01T10:00:00+15:00"),
    ("instant", "2024-02-29"), ("instant", "2024-02-30T10:00:00Z"), ("instant", "2024-02-29T10:00:00"),
    ("time", "24:00:00"), ("time", "10:00"), ("time", "10:00:00Z"),
    ("base64Binary", ""), ("base64Binary", "Zm9"), ("base64Binary", "Zm=v"), ("base64Binary", "Zm9é"),
    ("base64Binary", 1),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "value"), RIGHT)
def test_primitive_accepts(type_name: str, value: Any) -> None:
    assert check(type_name, value)


@pytest.mark.parametrize(("type_name", "value"), WRONG)
def test_primitive_refuses(type_name: str, value: Any) -> None:
    assert not check(type_name, value)


def test_every_primitive_of_r4_has_a_check() -> None:
    defined = {row["type"] for row in structure_definitions().values() if row["kind"] == "primitive-type"}
    assert defined == CHECKS.keys()


@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day: Any) -> None:
    assert check("date", day.isoformat())


@given(st.binary(min_size=1))
def test_base64_of_any_bytes_is_base64(content: bytes) -> None:
    assert check("base64Binary", b64encode(content).decode())
