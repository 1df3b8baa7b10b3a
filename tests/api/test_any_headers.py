"""No header and no parameter, whatever is in it, makes the server fail: an answer or a refusal, never 500."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Client

HEADERS = [
    "Accept", "Accept-Language", "Prefer", "If-Match", "If-None-Match", "If-Modified-Since", "If-None-Exist",
    "Content-Type", "X-Security-Context", "X-Conditional-Delete", "X-Request-Id",
]  # fmt: skip
PARAMETERS = ["_format", "_pretty", "_summary", "_elements", "_at", "_since", "_count", "_page", "mode"]
SEEDS = [
    "application/fhir+xml;q=0.5", "application/fhir+json; fhirVersion=4.0", "*/*", 'W/"1"', "return=minimal", "fr;q=1",
    "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 99999999999 99:99:99 +9999", "remove-all", "ge2020-01", "true", "xml",
]  # fmt: skip
text = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30),
    st.lists(st.sampled_from([*SEEDS, ",", ";", "=", '"', " "]), max_size=4).map("".join),
)
requests = st.sampled_from([
    ("GET", "Patient/any"), ("GET", "Patient"), ("GET", "metadata"), ("GET", "Patient/any/_history"),
    ("HEAD", "_history"), ("PUT", "Patient/any"), ("POST", "Patient"), ("PATCH", "Patient/any"),
    ("DELETE", "Patient/any-x"), ("PUT", "Binary/any"), ("GET", "Binary/any"), ("OPTIONS", "Patient"),
])  # fmt: skip
pairs = st.dictionaries(st.sampled_from(HEADERS), text, max_size=3)


@pytest.fixture
async def patient_is_there(client: Client) -> None:
    await client.update({"resourceType": "Patient", "id": "any"})


@pytest.mark.usefixtures("patient_is_there")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=requests, headers=pairs, query=st.dictionaries(st.sampled_from(PARAMETERS), text, max_size=2))
async def test_answers_whatever_is_sent(
    client: Client, request: tuple[str, str], headers: dict[str, str], query: dict[str, Any]
) -> None:
    method, path = request
    raw = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
    body = b'{"resourceType":"Patient","id":"any"}' if method in ("PUT", "POST", "PATCH") else b""
    answer = await client.request(method, path, params=query, headers=raw, content=body)
    assert answer.status_code < 500, answer.text
    assert answer.status_code < 400 or method == "HEAD" or b"OperationOutcome" in answer.content
