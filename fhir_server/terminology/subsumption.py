"""How two codes of one system lie to each other. https://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""

from __future__ import annotations

from fhir_server.errors import ResourceNotFound
from fhir_server.terminology.code_findings import unknown_code
from fhir_server.terminology.code_systems import CodeSystemProvider


def subsumption(provider: CodeSystemProvider, code_a: str, code_b: str) -> str:
    """Returns R4's code for how A lies to B: `equivalent`, `subsumes`, `subsumed-by` or `not-subsumed`.

    Raises ResourceNotFound for a code that the system does not have here.
    """
    a, b = _find(provider, code_a, "codeA"), _find(provider, code_b, "codeB")
    if a == b:
        return "equivalent"
    if provider.subsumes(a, b):
        return "subsumes"
    return "subsumed-by" if provider.subsumes(b, a) else "not-subsumed"


def _find(provider: CodeSystemProvider, code: str, place: str) -> str:
    found = provider.find(code)
    if found is None:
        issue = unknown_code(code, provider.url, provider.version, place)
        raise ResourceNotFound(issue.english, issue.french, rule="code-unknown", issues=[issue])
    return found
