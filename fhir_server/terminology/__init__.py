"""Which codes a value set holds and what they are called. https://hl7.org/fhir/R4/terminology-module.html"""

from fhir_server.terminology.code_systems import CodeSystemContent, Concept
from fhir_server.terminology.value_sets import CodeSet, Terminology

__all__ = ["CodeSet", "CodeSystemContent", "Concept", "Terminology"]
