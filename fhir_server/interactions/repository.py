"""The wired parts that interactions work with; `app.py` builds one, tests build as many as they like."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fhir_server.conformance import DefinitionRegistry
from fhir_server.index import Indexer, SearchParameterRegistry
from fhir_server.interactions.once import Once
from fhir_server.interactions.parameter_watch import ParameterWatch
from fhir_server.interactions.stored_definitions import StoredDefinitions
from fhir_server.interactions.turnstile import Turnstile
from fhir_server.search import KeyedCondition, Record
from fhir_server.store import Batches, ResourceStore
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for; `/metadata` states them."""

    max_bundle_entries: int = 1000
    query_timeout_ms: int = 10_000


def utc_now() -> datetime:
    """Returns the present instant, to the millisecond, which is what MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def new_id() -> str:
    """Returns an unused resource id: a UUID of version 7, so that ids made together lie together in the index."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (random_bits >> 68) << 64 | 0b10 << 62 | random_bits & (1 << 62) - 1
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, slots=True)
class Repository:
    """Store, index, search parameters and validator of one server, with its clock and its source of ids.

    `watch` keeps the search parameters in step with what clients bring. `conditions` looks up conditions such as
    `identifier=system|value`, and `records` whole records of patients, those of several requests together; the work of
    bundles goes through the `turnstile`. `conformance` is what the server knows of profiles by itself, `terminology`
    of codes, `definitions` what clients stored.
    """

    store: ResourceStore
    validator: Validator
    indexer: Indexer
    search_parameters: SearchParameterRegistry
    conformance: DefinitionRegistry
    terminology: Terminology
    definitions: StoredDefinitions
    watch: ParameterWatch
    conditions: Batches[KeyedCondition, list[str]]
    records: Batches[str, Record | None]
    page_key: bytes
    turnstile: Turnstile
    limits: Limits = Limits()
    once: Once | None = None
    clock: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = new_id
