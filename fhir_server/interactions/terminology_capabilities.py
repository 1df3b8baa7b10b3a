"""The TerminologyCapabilities: which code systems there are, and what can be asked about them.

https://hl7.org/fhir/R4/terminologycapabilities.html

It lists what the server has by itself; what clients stored is found by search, and works alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fhir_server import __version__
from fhir_server.terminology import Terminology

_TEXT_FILTER = (
    "Débuts de mots du code, du libellé et des désignations, sans casse ni accents ; tous les mots. "
    "*Beginnings of words of code, display and designations, without case and accents; all words.*"
)


def build_terminology_capabilities(
    terminology: Terminology, expansion_parameters: Iterable[str], operations: Iterable[str], date: str, base_url: str
) -> dict[str, Any]:
    """Returns what `GET [base]/metadata?mode=terminology` answers.

    `expansion_parameters` are the inputs of `$expand`, `operations` the names of all operations, `date` an instant.
    """
    offered = frozenset(operations)
    parts = {
        "validateCode": ({"translations": False}, "validate-code"),
        "translation": ({"needsMap": True}, "translate"),
        "closure": ({"translation": False}, "closure"),
    }
    return {
        "resourceType": "TerminologyCapabilities",
        "id": "msma-fhir-server-terminology",
        "url": f"{base_url}/metadata?mode=terminology",
        "version": __version__,
        "name": "MsmaFhirServerTerminology",
        "title": "Terminologie du serveur FHIR des microstructures médicales addictions",
        "status": "active",
        "date": date,
        "publisher": "CNRMS",
        "kind": "instance",
        "software": {"name": "MSMA FHIR server", "version": __version__},
        "implementation": {"description": "Service de terminologie FHIR R4 du serveur MSMA", "url": base_url},
        "lockedDate": False,
        "codeSystem": list(_code_systems(terminology, subsumes="subsumes" in offered)),
        "expansion": {
            "hierarchical": True,
            "paging": True,
            "incomplete": False,
            "parameter": [{"name": name} for name in expansion_parameters],
            "textFilter": _TEXT_FILTER,
        },
        "codeSearch": "all",
        **{name: part for name, (part, operation) in parts.items() if operation in offered},
    }


def _code_systems(terminology: Terminology, *, subsumes: bool) -> Iterable[dict[str, Any]]:
    """Yields each code system with its versions, newest source first: the first is the default."""
    versions: dict[str, dict[str, None]] = {}
    for source in terminology.sources:
        for url, version in source.known_code_systems():
            versions.setdefault(url, {}).setdefault(version)
    for url in sorted(versions):
        listed = _versions([version for version in versions[url] if version])
        yield {"uri": url, **({"version": listed} if listed else {}), "subsumption": subsumes}


def _versions(versions: Sequence[str]) -> list[dict[str, Any]]:
    return [{"code": version, "isDefault": number == 0} for number, version in enumerate(versions)]
