"""Search: parse → plan → query → execute → include → bundle; see `README.md` beside this file."""

from fhir_server.search.bundle import build_bundle, raw_entries
from fhir_server.search.compartment import Compartment, find_compartment
from fhir_server.search.conditional import KeyedCondition, find_ids, find_ids_of_each, parse_condition, single_key
from fhir_server.search.criteria import Clause
from fhir_server.search.execute import execute
from fhir_server.search.page import Found, Page
from fhir_server.search.pages import Place, place_of, restored, sign
from fhir_server.search.parse import parse_search
from fhir_server.search.plan import plan
from fhir_server.search.query import build_filter
from fhir_server.search.reader import Reader
from fhir_server.search.record import Record, read_records
from fhir_server.search.request import DEFAULT_COUNT, MAX_COUNT, MAX_INCLUDED, SearchRequest
from fhir_server.search.several import asked_types, parse_several

__all__ = [
    "DEFAULT_COUNT",
    "MAX_COUNT",
    "MAX_INCLUDED",
    "Clause",
    "Compartment",
    "Found",
    "KeyedCondition",
    "Page",
    "Place",
    "Reader",
    "Record",
    "SearchRequest",
    "asked_types",
    "build_bundle",
    "build_filter",
    "execute",
    "find_compartment",
    "find_ids",
    "find_ids_of_each",
    "parse_condition",
    "parse_search",
    "parse_several",
    "place_of",
    "plan",
    "raw_entries",
    "read_records",
    "restored",
    "sign",
    "single_key",
]
