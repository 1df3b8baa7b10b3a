"""Reading of JSON: what is refused, however it is written."""

import pytest

from fhir_server.errors import FhirError
from fhir_server.spec.json_format import DEPTH_LIMIT, decode


def objects(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def arrays(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def wide(inner: bytes) -> bytes:
    """Returns content with more brackets than levels are allowed, and `inner`."""
    return b'{"b":[' + b"{}," * DEPTH_LIMIT + inner + b"]}"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a" :2}',
        b'{"a" \t\r\n:1,"a":2}',
        b'{"a":1,"a":"\\u003a"}',
        b'{"a":1,"a":"\\u003A"}',
        b'{"a":1,"a":"\\u0022:"}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":1,"a":1,"b":123456789012345678901234567890}',
        b'{"b":{"c":1},"b":{"d:e":":"}}',
        wide(b'{"a":1,"a":2}'),
    ],
)
def test_a_name_that_stands_twice_is_refused(data: bytes) -> None:
    with pytest.raises(FhirError) as refusal:
        decode(data)
    assert refusal.value.rule == "json-duplicate-name"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"b":"\\":","c":"a:"}',
        b'{"a" : 1 , "b" : "\\u0022\\u003a"}',
        b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
        b'{"a":123456789012345678901234567890}',
        wide(b'{"a":":"}'),
        objects(DEPTH_LIMIT),
        arrays(DEPTH_LIMIT),
    ],
)
def test_other_content_is_read(data: bytes) -> None:
    assert decode(data)


@pytest.mark.parametrize(
    "data", [objects(DEPTH_LIMIT + 1), arrays(DEPTH_LIMIT + 1), objects(5000), wide(arrays(DEPTH_LIMIT))]
)
def test_deeper_content_is_refused(data: bytes) -> None:
    with pytest.raises(FhirError) as refusal:
        decode(data)
    assert refusal.value.rule == "json-depth"
