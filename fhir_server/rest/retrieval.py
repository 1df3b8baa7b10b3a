"""What a GET below the base URL means, whether it comes over HTTP or as an entry of a bundle."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from fhir_server.errors import InvalidContent, NotSupported, ResourceNotFound
from fhir_server.interactions.addresses import check_id, check_type
from fhir_server.interactions.bundle_entry import Entry
from fhir_server.interactions.history import HistoryQuery, history
from fhir_server.interactions.read import read, vread
from fhir_server.interactions.search import Caller, search, search_compartment, search_system
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.negotiation import Preferences
from fhir_server.rest.operations import Call, is_operation, operate_in_bundle
from fhir_server.rest.request import split_query
from fhir_server.spec.json_format import encode
from fhir_server.spec.subset import Subset, subset_of_read
from fhir_server.store import StoredVersion

Query = Sequence[tuple[str, str]]

_MODES = ("full", "normative", "terminology")


async def retrieve(
    endpoint: Endpoint, segments: Sequence[str], query: Query, base_url: str, preferences: Preferences
) -> StoredVersion | dict[str, Any]:
    """Returns the version that was asked for, or a bundle, the CapabilityStatement, the TerminologyCapabilities.

    Raises ResourceNotFound where nothing has this URL, and whatever the interaction refuses.
    """
    repository = endpoint.repository
    match segments:
        case ["metadata"]:
            mode, query = _mode_of(query)
            if mode == "terminology":
                subset = _read_subset(query, "TerminologyCapabilities")
                return subset.of(endpoint.terminology_capabilities(base_url))
            return _read_subset(query, "CapabilityStatement").of(endpoint.capabilities(base_url))
        case ["_history"]:
            return await history(repository, HistoryQuery.parse(query, base_url))
        case [resource_type, "_history"]:
            return await history(repository, HistoryQuery.parse(query, base_url, check_type(resource_type)))
        case [resource_type, id_]:
            subset = _read_subset(query, check_type(resource_type))
            return _left(await read(repository.store, resource_type, check_id(id_)), subset)
        case [resource_type, id_, "_history"]:
            parsed = HistoryQuery.parse(query, base_url, check_type(resource_type), check_id(id_))
            return await history(repository, parsed)
        case [resource_type, id_, "_history", version_id]:
            subset = _read_subset(query, check_type(resource_type))
            return _left(await vread(repository.store, resource_type, check_id(id_), version_id), subset)
    return await search_at(endpoint, segments, query, base_url, preferences)


async def search_at(
    endpoint: Endpoint, segments: Sequence[str], query: Query, base_url: str, preferences: Preferences
) -> dict[str, Any]:
    """Returns the searchset of what is below a URL: the system, a type, a compartment; raises as `retrieve`."""
    repository = endpoint.repository
    caller = Caller(base_url, lenient=preferences.lenient, language=preferences.language)
    match segments:
        case []:
            return await search_system(repository, query, caller)
        case [resource_type]:
            return await search(repository, check_type(resource_type), query, caller)
        case [owner, id_, resource_type]:
            place = (check_type(owner), check_id(id_))
            searched = resource_type if resource_type == "*" else check_type(resource_type)
            return await search_compartment(repository, place, searched, query, caller)
    raise unknown_url(segments)


def _mode_of(query: Query) -> tuple[str, Query]:
    """Returns the `mode` of `metadata`, and the query without it; `full` and `normative` are answered alike."""
    modes = [value for name, value in query if name == "mode"]
    for mode in modes:
        if mode not in _MODES:
            listed = ", ".join(f"`{each}`" for each in _MODES)
            raise NotSupported(
                f"`mode` is one of {listed}, not `{mode}`.",
                f"`mode` vaut {listed}, et non `{mode}`.",
                rule="metadata-mode",
            )
    return modes[-1] if modes else "full", [(name, value) for name, value in query if name != "mode"]


def _read_subset(query: Query, resource_type: str) -> Subset:
    """Returns what `_summary` and `_elements` of a read ask for; refuses every other parameter."""
    others = [name for name, _ in query if name not in ("_summary", "_elements")]
    if others:
        names = ", ".join(f"`{name}`" for name in others)
        raise InvalidContent(
            f"A read takes `_format`, `_pretty`, `_summary` and `_elements`, not {names}.",
            f"Une lecture admet `_format`, `_pretty`, `_summary` et `_elements`, pas {names}.",
            rule="parameter-unknown",
        )
    return subset_of_read(query, (resource_type,))


def _left(version: StoredVersion, subset: Subset) -> StoredVersion:
    return version if subset.is_whole else replace(version, json=encode(subset.of(version.resource or {})))


async def retrieve_for_bundle(
    endpoint: Endpoint, entry: Entry, base_url: str, preferences: Preferences, *, is_transaction: bool
) -> dict[str, Any]:
    """Returns the resource for an entry of a bundle that reads, or calls an operation; raises what these raise."""
    path, _, text = entry.url.removeprefix(base_url).partition("?")
    query, _ = split_query(text)
    segments = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    if is_operation(segments):
        call = Call(segments, entry.method, query, entry.body, base_url, preferences)
        return await operate_in_bundle(endpoint, call, is_transaction=is_transaction)
    found = await retrieve(endpoint, segments, query, base_url, preferences)
    return (found.resource or {}) if isinstance(found, StoredVersion) else found


def unknown_url(segments: Sequence[str]) -> ResourceNotFound:
    """Returns the error for a URL that no interaction has."""
    path = "/".join(segments) or "/"
    return ResourceNotFound(
        f"`{path}` is not a URL of this server; `metadata` lists what there is.",
        f"`{path}` n'est pas une URL de ce serveur ; `metadata` indique ce qui existe.",
        rule="url-unknown",
    )


def refuse_query(query: Query) -> None:
    """Raises InvalidContent for parameters of an interaction that has none; ignored, they would mislead."""
    if query:
        names = ", ".join(f"`{name}`" for name, _ in query)
        raise InvalidContent(
            f"`_format` and `_pretty` can be given here, not {names}.",
            f"On peut donner ici `_format` et `_pretty`, pas {names}.",
            rule="parameter-unknown",
        )
