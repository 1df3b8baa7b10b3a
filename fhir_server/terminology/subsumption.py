"""How two codes of one system lie to each other. https://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""

from __future__ import annotations

from fhir_server.terminology.code_systems import CodeSystemProvider
from fhir_server.terminology.problems import unknown_code


def subsumption(provider: CodeSystemProvider, code_a: str, code_b: str) -> str:
    """Returns R4's code for how A lies to B: `equivalent`, `subsumes`, `subsumed-by` or `not-subsumed`.

    Raises UnknownCode for a code that the system does not have here.
    """
    a, b = _find(provider, code_a), _find(provider, code_b)
    if a == b:
        return "equivalent"
    if provider.subsumes(a, b):
        return "subsumes"
    return "subsumed-by" if provider.subsumes(b, a) else "not-subsumed"


def _find(provider: CodeSystemProvider, code: str) -> str:
    found = provider.find(code)
    if found is None:
        raise unknown_code(provider, code)
    return found
