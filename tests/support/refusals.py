"""Refusals are tested whole: status, issue code, place, rule, content type."""

from typing import Any

import httpx


def assert_refused(
    response: httpx.Response,
    status: int,
    code: str,
    *,
    rule: str | None = None,
    expression: str | None = None,
    says: str = "",
) -> list[dict[str, Any]]:
    """Returns the errors of a refusal after checking status, issue code, and rule, place and sentence if given."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/fhir+json; charset=utf-8"
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    issues: list[dict[str, Any]] = [i for i in outcome["issue"] if i["severity"] in ("error", "fatal")]
    assert issues, outcome
    codes = [issue["code"] for issue in issues]
    assert code in codes, outcome
    if rule is not None:
        rules = [coding["code"] for issue in issues for coding in issue["details"].get("coding", [])]
        assert rule in rules, outcome
    if expression is not None:
        assert expression in [place for issue in issues for place in issue.get("expression", [])], outcome
    assert says in " ".join(issue["diagnostics"] for issue in issues), outcome
    assert "Traceback" not in response.text
    return issues
