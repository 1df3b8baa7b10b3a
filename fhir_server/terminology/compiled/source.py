"""Compiled files among the sources of the terminology engine; see `fhir_server.terminology.sources`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fhir_server.terminology.compiled.implicit_value_sets import build_implicit_value_set, implicit_system
from fhir_server.terminology.compiled.library import CompiledLibrary
from fhir_server.terminology.compiled.provider import CompiledCodeSystem


class CompiledSource:
    """Every loaded system in every version that is loaded, and the value sets that SNOMED CT and LOINC imply."""

    def __init__(self, library: CompiledLibrary) -> None:
        self._library = library

    def code_systems(self, url: str) -> Sequence[CompiledCodeSystem]:
        return [CompiledCodeSystem(file) for file in self._library.files(url)]

    def resources(self, resource_type: str, url: str) -> Sequence[dict[str, Any]]:
        if resource_type != "ValueSet" or not implicit_system(url):
            return ()
        found = build_implicit_value_set(url, self._set_names)
        return (found,) if found else ()

    def known_code_systems(self) -> list[tuple[str, str]]:
        headers = list(self._library.headers().values())
        return [(header.url, header.version) for header in reversed(headers)]

    def _set_names(self, system: str, version: str) -> Collection[str] | None:
        file = self._library.find(system, version or None)
        return None if file is None else file.set_names
