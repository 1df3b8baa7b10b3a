"""Code systems, wherever their codes are; `CodeSystemProvider` is what each of them does.
https://hl7.org/fhir/R4/codesystem.html
"""

from fhir_server.terminology.code_systems.concept import Concept, Designation, PropertyValue
from fhir_server.terminology.code_systems.content import CodeSystemContent
from fhir_server.terminology.code_systems.filters import Filter, UnknownFilter, unknown_filter
from fhir_server.terminology.code_systems.provider import CodeSystemProvider

__all__ = [
    "CodeSystemContent",
    "CodeSystemProvider",
    "Concept",
    "Designation",
    "Filter",
    "PropertyValue",
    "UnknownFilter",
    "unknown_filter",
]
