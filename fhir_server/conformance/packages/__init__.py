"""FHIR packages: installed once, compiled once, read when asked.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from fhir_server.conformance.packages.compiled import CompiledFile, Entry
from fhir_server.conformance.packages.dependencies import InstallPlan, Missing, check_not_needed, plan_install
from fhir_server.conformance.packages.errors import PackageError
from fhir_server.conformance.packages.library import PackageLibrary
from fhir_server.conformance.packages.manifest import Manifest
from fhir_server.conformance.packages.source import Source, open_source, sources_in
from fhir_server.conformance.packages.store import InstalledPackage, PackageStore
from fhir_server.conformance.packages.versions import version_key

__all__ = [
    "CompiledFile",
    "Entry",
    "InstallPlan",
    "InstalledPackage",
    "Manifest",
    "Missing",
    "PackageError",
    "PackageLibrary",
    "PackageStore",
    "Source",
    "check_not_needed",
    "open_source",
    "plan_install",
    "sources_in",
    "version_key",
]
