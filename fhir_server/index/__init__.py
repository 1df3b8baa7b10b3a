"""What resources are found by: search parameters, index documents, and the conditions that find them again.

See `README.md` beside this file.
"""

from fhir_server.index.columns import Told, told_by
from fhir_server.index.composite import other_units
from fhir_server.index.concepts import Concepts, StoredConcepts, named_code
from fhir_server.index.definition import check_definition, usable_definitions
from fhir_server.index.entries import FIELDS, Condition, any_of
from fhir_server.index.fingerprint import INDEX_VERSION
from fhir_server.index.indexer import MONGODB_INDEXES, Indexer
from fhir_server.index.modifiers import NEGATIONS, modifiers_of
from fhir_server.index.parameter import SearchParameter, ValueContext
from fhir_server.index.quantity import in_other_units
from fhir_server.index.registry import TYPES, SearchParameterRegistry
from fhir_server.index.terms import Sought, has_terms, sought_beginning, sought_terms
from fhir_server.index.token import CODED

__all__ = [
    "CODED",
    "FIELDS",
    "INDEX_VERSION",
    "MONGODB_INDEXES",
    "NEGATIONS",
    "TYPES",
    "Concepts",
    "Condition",
    "Indexer",
    "SearchParameter",
    "SearchParameterRegistry",
    "Sought",
    "StoredConcepts",
    "Told",
    "ValueContext",
    "any_of",
    "check_definition",
    "has_terms",
    "in_other_units",
    "modifiers_of",
    "named_code",
    "other_units",
    "sought_beginning",
    "sought_terms",
    "told_by",
    "usable_definitions",
]
