"""TestScripts of mock.health's comparison of servers, for R4's base, over real HTTP.

https://hl7.org/fhir/R4/testscript.html. A script is one request and a few
assertions; anything else in one is refused.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.suites import SUITES, suite

FOLDER = SUITES / "testscripts" / "fhir-r4-base"
EXCLUDED = tomllib.loads(Path(__file__).with_name("testscripts_exclusions.toml").read_text())


def scripts(*levels: str) -> list[Any]:
    """Returns the scripts of these levels; one that skips where the suite is absent."""
    found = [path for level in levels for path in sorted((FOLDER / level).glob("*.json"))]
    return [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in found or [FOLDER / "absent.json"]]


def play(path: Path, base_url: str, headers: dict[str, str] | None = None) -> list[str]:
    """Returns the labels of the assertions of a script that do not hold."""
    suite("testscripts")
    script = json.loads(path.read_text())
    failed = []
    for test in script["test"]:
        response = None
        for action in test["action"]:
            if "operation" in action:
                response = send(action["operation"], base_url, headers or {})
            elif not holds(action["assert"], response):
                failed.append(f"{action['assert']['label']} ({response.status_code if response else 'no answer'})")
    return failed


def send(operation: dict[str, Any], base_url: str, headers: dict[str, str]) -> httpx.Response:
    """Returns the answer to what an operation asks for."""
    kind, params = operation["type"]["code"], operation.get("params", "")
    path = {
        "capabilities": "/metadata",
        "search": f"/{operation.get('resource')}{params}",
        "read": f"/{operation.get('resource')}{params}",
        "history": f"/{operation.get('resource')}/_history{params}",
    }[kind]
    asked = {header["field"]: header["value"] for header in operation.get("requestHeader", ())}
    return httpx.get(base_url + path, headers={"Accept": "application/fhir+json", **asked, **headers}, timeout=30)


def holds(asserted: dict[str, Any], response: httpx.Response | None) -> bool:
    """True where an assertion holds for the last answer."""
    assert response is not None
    (name,) = asserted.keys() & {"responseCode", "contentType", "responseBody"}
    expected: str = asserted[name]
    actual: str = {
        "responseCode": str(response.status_code),
        "contentType": response.headers.get("content-type", ""),
        "responseBody": response.text,
    }[name]
    judged = {
        "equals": actual == expected,
        "notEquals": actual != expected,
        "contains": expected in actual,
        "notIn": actual not in expected.split(","),
        "matchesRegex": re.search(expected, actual) is not None,
    }
    return judged[str(asserted["operator"])]


@pytest.mark.parametrize("path", scripts("MUST", "SHOULD"))
def test_script_passes(path: Path, served_url: str) -> None:
    assert play(path, served_url) == []


@pytest.mark.parametrize("path", scripts("MAY"))
def test_script_of_what_is_optional_passes_or_is_listed(path: Path, served_url: str) -> None:
    failed = play(path, served_url)
    assert bool(failed) == (path.stem in EXCLUDED), failed


def test_an_unknown_parameter_is_refused_when_asked_to(served_url: str) -> None:
    path = FOLDER / "MUST" / "silent-ignore.json"
    assert play(path, served_url, {"Prefer": "handling=strict"}) == []
