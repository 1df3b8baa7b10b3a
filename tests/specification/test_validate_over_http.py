"""`$validate` over HTTP says of whole suites what they are known for: HL7's examples, and our own counterexamples.

Many go in one batch, so that the suites take seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.spec.json_format import decode
from tests.api.conftest import Client
from tests.support.suites import official_examples

COUNTEREXAMPLES = Path(__file__).parents[2] / "profiles" / "counterexamples"
ENTRIES = 100
Told = tuple[str, str, str]
"""Severity, rule and place of a finding."""


async def findings_over_http(
    client: Client, resources: Mapping[str, dict[str, Any]]
) -> AsyncIterator[tuple[str, set[Told]]]:
    """Yields (name, findings) of each resource, asked for in batches."""
    names = list(resources)
    for start in range(0, len(names), ENTRIES):
        part = names[start : start + ENTRIES]
        request = {"method": "POST", "url": "$validate"}
        wrapped = (
            {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resources[name]}]}
            for name in part
        )
        answer = await client.bundle(*({"request": request, "resource": each} for each in wrapped), kind="batch")
        assert answer.status_code == 200, answer.text
        for name, entry in zip(part, answer.json()["entry"], strict=True):
            assert entry["response"]["status"] == "200 OK", name
            yield name, {_told(issue) for issue in entry["resource"]["issue"]}


def _told(issue: Mapping[str, Any]) -> Told:
    return issue["severity"], issue["details"]["coding"][0]["code"], "".join(issue.get("expression", ()))


async def test_no_official_example_has_an_error(client: Client) -> None:
    examples = official_examples()
    errors = {}
    async for name, found in findings_over_http(client, examples):
        if wrong := [each for each in found if each[0] in ("error", "fatal")]:
            errors[name] = wrong
    assert errors == {}
    assert len(examples) == 712


async def test_every_counterexample_has_exactly_its_findings(client: Client) -> None:
    paths = [path for path in sorted(COUNTEREXAMPLES.glob("*.json")) if not path.name.endswith(".issues.json")]
    expected = {path.name: _expected(path) for path in paths}
    resources = {path.name: decode(path.read_bytes()) for path in paths}
    assert {name: found async for name, found in findings_over_http(client, resources)} == expected
    assert len(expected) > 600


def _expected(path: Path) -> set[Told]:
    issues: list[dict[str, str]] = msgspec.json.decode(path.with_suffix(".issues.json").read_bytes())
    return {(issue["severity"], issue["rule"], issue["expression"]) for issue in issues}
