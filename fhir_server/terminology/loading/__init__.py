"""Loading of code systems that the operator has: read once, checked, compiled into a file. See `README.md`."""

from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.kinds import KINDS, SECTIONS, load
from fhir_server.terminology.loading.request import LoadRequest
from fhir_server.terminology.loading.sources import Sources

__all__ = ["KINDS", "SECTIONS", "LoadRequest", "SourceFault", "Sources", "load"]
