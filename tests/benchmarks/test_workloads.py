"""A wrong answer is an error, whatever its status says."""

from typing import Any

import msgspec
import pytest

from tests.benchmarks.client import Answer
from tests.benchmarks.observations import Template
from tests.benchmarks.terminology import Expand, Lookup
from tests.benchmarks.workloads import (
    ConditionalCreate,
    Create,
    Pathways,
    Read,
    Update,
    Validate,
    Workload,
    first_errors,
)

TEMPLATE = Template.of({"resourceType": "Observation", "id": "a", "meta": {"profile": ["p"]}, "status": "final"})
BODY = TEMPLATE.body(0)
STORED = b'{"id":"a",' + BODY[1:]
OTHER = STORED.replace(b"final", b"amended")
CREATED = {"Location": "http://127.0.0.1/fhir/Observation/a/_history/1"}
MADE = {"response": {"status": "201 Created", "location": "Patient/1/_history/1"}}


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    head = "".join(f"\r\n{name}: {value}" for name, value in (headers or {}).items())
    return Answer(0, f"HTTP/1.1 {status} Reason{head}\r\n\r\n".encode() + body, 0.001)


def bundle(*entries: Any) -> bytes:
    return msgspec.json.encode({"resourceType": "Bundle", "entry": entries})


def pathways() -> Pathways:
    workload = Pathways(0, lambda seed: {"entry": [{"seed": seed}, {}]}, first=0)
    next(workload.requests(1))
    return workload


def outcome(rule: str) -> bytes:
    return msgspec.json.encode({"issue": [{"details": {"coding": [{"code": rule}]}}]})


def expansion(groups: int, total: int) -> bytes:
    group = {"code": "g", "contains": [{"code": "c"}] * 9}
    return msgspec.json.encode({"expansion": {"total": total, "contains": [group] * groups}})


def looked_up(code: str) -> bytes:
    return msgspec.json.encode({"parameter": [{"name": "property"}, {"name": "code", "valueCode": code}]})


VALIDATE = Validate(0, [TEMPLATE], first=0)
CREATE = Create(0, [TEMPLATE], first=0, bare=False)
BARE_CREATE = Create(0, [TEMPLATE], first=0, bare=True)
READ = Read(0, [("a", BODY)], bare=False)
UPDATE = Update(0, [("a", TEMPLATE)], first=0)


@pytest.mark.parametrize(
    ("workload", "given", "right"),
    [
        (CREATE, answer(201, STORED, CREATED), True),
        (CREATE, answer(201, OTHER, CREATED), False),
        (CREATE, answer(201, STORED), False),
        (CREATE, answer(200, STORED, CREATED), False),
        (CREATE, answer(503, b"{}"), False),
        (BARE_CREATE, answer(201, b'{"_id":"a"}'), True),
        (BARE_CREATE, answer(500, b'{"_id":"a"}'), False),
        (READ, answer(200, STORED), True),
        (READ, answer(200, OTHER), False),
        (READ, answer(200, STORED.replace(b'"a"', b'"b"')), False),
        (READ, answer(404, b"{}"), False),
        (UPDATE, answer(200, STORED, {"ETag": 'W/"2"'}), True),
        (UPDATE, answer(200, STORED, {"ETag": 'W/"1"'}), False),
        (UPDATE, answer(200, OTHER, {"ETag": 'W/"2"'}), False),
        (UPDATE, answer(412, b"{}"), False),
        (VALIDATE, answer(200, outcome("all-ok")), True),
        (VALIDATE, answer(200, outcome("profile-unknown")), False),
        (VALIDATE, answer(422, outcome("all-ok")), False),
        (Expand(0), answer(200, expansion(100, 1000)), True),
        (Expand(0), answer(200, expansion(99, 1000)), False),
        (Expand(0), answer(403, b"{}"), False),
        (Lookup(0), answer(200, looked_up("c0-0")), True),
        (Lookup(0), answer(200, looked_up("c0-1")), False),
        (Lookup(0), answer(404, b"{}"), False),
        (pathways(), answer(200, bundle(MADE, MADE)), True),
        (pathways(), answer(200, bundle(MADE)), False),
        (pathways(), answer(200, bundle(MADE, {"response": {"status": "404"}})), False),
        (pathways(), answer(422, b"{}"), False),
    ],
)
def test_answer_is_checked(workload: Workload, given: Answer, right: bool) -> None:
    assert (first_errors(workload, [given]) == []) is right


def test_update_asks_for_the_version_that_the_round_before_made() -> None:
    requests = Update(0, [("a", TEMPLATE), ("b", TEMPLATE)], first=0).requests(1)
    versions = [next(requests).partition(b"If-Match: ")[2].partition(b"\r\n")[0] for _ in range(4)]
    assert versions == [b'W/"1"', b'W/"1"', b'W/"2"', b'W/"2"']


def test_numbers_go_on_from_round_to_round() -> None:
    workload = ConditionalCreate(0, [TEMPLATE], first=7)
    first, second = next(workload.requests(1)), next(workload.requests(1))
    assert b"If-None-Exist: identifier=https://cnrms.fr/bench/identifier|0000000007\r\n" in first
    assert b"|0000000008\r\n" in second
