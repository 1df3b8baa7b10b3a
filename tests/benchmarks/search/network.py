"""What is searched: pathways of many patients, loaded through the API and read back from MongoDB.

Expected answers are worked out from the resources themselves, never from what the server indexed of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo import MongoClient

from fhir_server.synthetic import network_bundle, pathway_bundle
from tests.benchmarks.client import encode_request
from tests.benchmarks.preparation import exchange

VERSIONED = 64
VERSIONS = 4
INS = "urn:oid:1.2.250.1.213.1.4.10"
"""System of the identifier that each synthetic patient of a pathway has."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
_LOAD_AT_ONCE = 100


@dataclass(slots=True)
class Network:
    """All current resources by reference, and those that refer to each patient; `versioned` have older versions."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    of_patient: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    versioned: list[str] = field(default_factory=list)

    def of_type(self, resource_type: str) -> list[str]:
        """Returns the references of all resources of a type."""
        return [name for name in self.resources if name.startswith(f"{resource_type}/")]

    def about(self, patient: str, resource_type: str) -> list[str]:
        """Returns the references of a patient's resources of a type."""
        return [name for name in self.of_patient[patient] if name.startswith(f"{resource_type}/")]

    def add(self, resources: Iterable[dict[str, Any]]) -> None:
        """Takes resources as they are stored."""
        for resource in resources:
            name = f"{resource['resourceType']}/{resource['id']}"
            self.resources[name] = resource
            patient = (resource.get("subject") or resource.get("patient") or {}).get("reference", "")
            if patient.startswith("Patient/"):
                self.of_patient[patient].append(name)


async def load(port: int, patients: int) -> None:
    """Loads the small network's directory and the pathways of `patients` through the API of the server."""
    await exchange(port, [encode_request("POST", "/fhir", _encode(network_bundle()))], connections=1)
    for first in range(0, patients, _LOAD_AT_ONCE):
        seeds = range(first, min(first + _LOAD_AT_ONCE, patients))
        await exchange(port, [encode_request("POST", "/fhir", _encode(pathway_bundle(seed))) for seed in seeds])


async def change(port: int, network: Network) -> None:
    """Gives some Observations further versions, and the network its current ones."""
    chosen = network.of_type("Observation")[:VERSIONED]
    for number in range(VERSIONS - 1):
        changed = [network.resources[name] | {"issued": f"2026-01-0{number + 1}T00:00:00Z"} for name in chosen]
        await exchange(port, [encode_request("PUT", f"/fhir/{_name(each)}", _encode(each)) for each in changed])
    network.versioned = chosen


def read_network(uri: str, database: str) -> Network:
    """Returns what is stored now, as MongoDB's own tools see it."""
    network = Network()
    with MongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        stored = client[database]
        for name in stored.list_collection_names():
            if name[:1].isupper() and "." not in name:
                network.add(each["resource"] for each in stored[name].find({}, {"resource": 1}))
    return network


def instant(text: str) -> datetime:
    """Returns a dateTime with a zone, or the first moment of a date; both occur in the synthetic network."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def codes(resource: dict[str, Any]) -> Sequence[str]:
    """Returns the codes of `code`, without their systems."""
    return [coding["code"] for coding in resource.get("code", {}).get("coding", ())]


def references_in(node: Any) -> set[str]:
    """Returns the literal references in a resource."""
    if isinstance(node, list):
        return {name for item in node for name in references_in(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for value in node.values() for name in references_in(value)}
    own = node.get("reference")
    return found | {own} if isinstance(own, str) else found


def _name(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
