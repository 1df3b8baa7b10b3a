"""Which codes a value set holds and what they are called. https://hl7.org/fhir/R4/terminology-module.html"""

from fhir_server.terminology.code_systems import CodeSystemContent, CodeSystemProvider, Concept
from fhir_server.terminology.composition import Composition
from fhir_server.terminology.member import Member
from fhir_server.terminology.scope import DefinitionsWanted, Scope, StoredSource
from fhir_server.terminology.value_sets import CodeSet, Terminology

__all__ = [
    "CodeSet",
    "CodeSystemContent",
    "CodeSystemProvider",
    "Composition",
    "Concept",
    "DefinitionsWanted",
    "Member",
    "Scope",
    "StoredSource",
    "Terminology",
]
