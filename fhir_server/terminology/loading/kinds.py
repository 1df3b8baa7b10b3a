"""The kinds of source that can be loaded, and who reads each."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from fhir_server.terminology.loading import csv_table
from fhir_server.terminology.loading.request import LoadRequest

KINDS: MappingProxyType[str, Callable[[LoadRequest], None]] = MappingProxyType({"csv": csv_table.load})


def load(kind: str, request: LoadRequest) -> None:
    """Loads what is asked for; `kind` is one of `KINDS`. Raises SourceFault, and leaves nothing behind then."""
    KINDS[kind](request)
