"""The kinds of source that can be loaded, and who reads each."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from fhir_server.terminology.loading import claml, csv_table, fhir_resources, loinc, snomed
from fhir_server.terminology.loading.request import LoadRequest

KINDS: MappingProxyType[str, Callable[[LoadRequest], None]] = MappingProxyType(
    {
        "csv": csv_table.load,
        "fhir": fhir_resources.load,
        "loinc": loinc.load,
        "snomed": snomed.load,
        "cim10": claml.load,
    }
)
SECTIONS: MappingProxyType[str, str] = MappingProxyType({"loinc": "loinc", "snomed": "snomed-ct", "cim10": "cim-10"})
"""The section of `terminology/external.toml` that says the system, licence and folder of a kind."""


def load(kind: str, request: LoadRequest) -> None:
    """Loads what is asked for; `kind` is one of `KINDS`. Raises SourceFault, and leaves nothing behind then."""
    KINDS[kind](request)
