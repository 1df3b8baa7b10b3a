"""Pathways of synthetic patients as they are stored, without a server: for tests of search that need many resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_server.index import Indexer
from fhir_server.spec.json_format import decode_trusted, encode
from fhir_server.store import Create
from fhir_server.synthetic import network_bundle, pathway_bundle

STAMP = {"versionId": "1", "lastUpdated": "2026-11-01T10:00:00.000Z"}


def stored_network(patients: int, indexer: Indexer) -> Iterator[list[Create]]:
    """Yields the changes that store the directory, then each patient's pathway, one list each."""
    yield [_create(each["resource"], each["resource"]["id"], indexer) for each in network_bundle()["entry"]]
    for seed in range(patients):
        yield [_create(resource, resource["id"], indexer) for resource in pathway(seed)]


def pathway(seed: int) -> list[dict[str, Any]]:
    """Returns the resources of one pathway with ids of their own, their references made literal."""
    bundle = pathway_bundle(seed)
    text = encode(bundle).decode()
    for number, entry in enumerate(bundle["entry"]):
        text = text.replace(entry["fullUrl"], f"{entry['resource']['resourceType']}/s{seed}-{number}")
    entries = decode_trusted(text.encode())["entry"]
    return [{**entry["resource"], "id": entry["fullUrl"].partition("/")[2]} for entry in entries]


def _create(resource: dict[str, Any], id_: str, indexer: Indexer) -> Create:
    whole = {**resource, "id": id_, "meta": {**STAMP, **resource.get("meta", {})}}
    return Create(whole["resourceType"], id_, whole, indexer.document(whole))
