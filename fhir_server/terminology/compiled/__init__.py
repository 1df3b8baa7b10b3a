"""Code systems compiled into read-only SQLite files: large ones, read where they lie, at no memory of the process."""

from fhir_server.terminology.compiled.builder import CompiledBuilder, DuplicateCode, UnknownParent
from fhir_server.terminology.compiled.file import CompiledFile
from fhir_server.terminology.compiled.layout import Header, Source
from fhir_server.terminology.compiled.library import CompiledLibrary
from fhir_server.terminology.compiled.provider import CompiledCodeSystem
from fhir_server.terminology.compiled.source import CompiledSource

__all__ = [
    "CompiledBuilder",
    "CompiledCodeSystem",
    "CompiledFile",
    "CompiledLibrary",
    "CompiledSource",
    "DuplicateCode",
    "Header",
    "Source",
    "UnknownParent",
]
