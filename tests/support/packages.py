"""FHIR packages made by tests, and the real FR Core where it lies beside the repository."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FR_CORE = Path(__file__).parents[2].parent / "shared/reference/hl7.fhir.fr.core-2.2.0.tgz"
needs_fr_core = pytest.mark.skipif(
    not FR_CORE.exists(),
    reason="FR Core's package is not shipped: put it into ../shared/reference to check against it.",
)


def manifest(name: str = "example.fhir.a", version: str = "1.0.0", **facts: Any) -> dict[str, Any]:
    """Returns a `package.json` for R4; `facts` replace or add."""
    return {
        "name": name,
        "version": version,
        "fhirVersions": ["4.0.1"],
        "dependencies": {"hl7.fhir.r4.core": "4.0.1"},
        **facts,
    }


def write_package(path: Path, files: Mapping[str, Any], package: Mapping[str, Any] | None = None) -> Path:
    """Writes a `.tgz` of files by name below `package/`, resources or bytes, and its `package.json`; returns `path`."""
    contents = {"package.json": manifest() if package is None else package, **files}
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            packed = content if isinstance(content, bytes) else json.dumps(content).encode()
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(packed)
            archive.addfile(entry, io.BytesIO(packed))
    return path


def profile(name: str = "p", version: str = "1.0.0", **facts: Any) -> dict[str, Any]:
    """Returns a profile on Patient that asks for a birth date."""
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": f"https://example.org/fhir/StructureDefinition/{name}",
        "version": version,
        "name": name.title(),
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]},
        **facts,
    }
