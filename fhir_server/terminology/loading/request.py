"""What an operator asks to be loaded, and what a reader of one kind of source gets to do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fhir_server.terminology.compiled import Header
from fhir_server.terminology.loading.sources import Sources


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """`system` and `version` are what the operator says where the source does not; `language` that of the displays,
    `licence` the notice that goes with the content.

    `on_loaded` is told of each system that has been put into `directory`.
    """

    sources: Sources
    directory: Path
    system: str = ""
    version: str = ""
    language: str = "fr"
    licence: str = ""
    on_loaded: Callable[[Header], None] = lambda _: None
