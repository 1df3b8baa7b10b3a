"""The valid instances that mutations are made of: plain R4, our examples, a synthetic pathway, HL7's examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.conformance import DefinitionRegistry
from fhir_server.synthetic import network_bundle, pathway_bundle
from tests.support.mutations.places import JsonObject
from tests.support.mutations.trial_profiles import PROFILES, TRIAL_OBSERVATION, TRIAL_PATIENT
from tests.support.network import pathway
from tests.support.suites import SUITES, official_examples
from tests.unit.validation.faults import SOUND

ROOT = Path(__file__).parents[3]
LARGEST = 12_000
"""Characters of JSON: a long example says no more than a short one."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def load_definitions() -> DefinitionRegistry:
    """Returns R4, our content, and the profiles on trial."""
    registry = DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"])
    for profile in PROFILES:
        registry.add(profile)
    return registry


def plain() -> Iterator[tuple[str, JsonObject]]:
    """Yields resources that claim no profile of ours."""
    yield from SOUND.items()
    yield "trial patient", TRIAL_PATIENT
    yield "trial observation", TRIAL_OBSERVATION


def ours() -> Iterator[tuple[str, JsonObject]]:
    """Yields the examples of our profiles."""
    for path in sorted((ROOT / "profiles/examples").glob("*.json")):
        yield path.stem, _DECODER.decode(path.read_bytes())


def counterexamples() -> Iterator[tuple[str, JsonObject]]:
    """Yields what breaks our profiles."""
    for path in sorted((ROOT / "profiles/counterexamples").glob("*.json")):
        if not path.name.endswith(".issues.json"):
            yield path.stem, _DECODER.decode(path.read_bytes())


def definitions() -> Iterator[tuple[str, JsonObject]]:
    """Yields the shortest of our definitions for each type."""
    folders = [ROOT / "profiles", ROOT / "terminology", ROOT / "mappings"]
    paths = [path for folder in folders for path in folder.glob("*/*.json") if "examples" not in path.parent.name]
    shortest: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (path.stat().st_size, path.name)):
        shortest.setdefault(path.name.partition("-")[0], path)
    for path in shortest.values():
        yield path.stem, _DECODER.decode(path.read_bytes())


def synthetic() -> Iterator[tuple[str, JsonObject]]:
    """Yields a synthetic patient's resources, one of each profile, those of the directory, and their bundles."""
    seen: set[str] = set()
    directory = [entry["resource"] for entry in network_bundle()["entry"]]
    for resource in [*pathway(1), *directory]:
        claimed = str(resource["meta"].get("profile"))
        if claimed not in seen:
            seen.add(claimed)
            yield f"synthetic {resource['resourceType']}/{resource['id']}", resource
    yield "synthetic pathway", pathway_bundle(1)


def official() -> Iterator[tuple[str, JsonObject]]:
    """Yields the shortest of HL7's R4 examples for each type, where they lie beside the checkout."""
    if not (SUITES / "r4-examples").is_dir():
        return
    shortest: dict[str, tuple[int, str, JsonObject]] = {}
    for name, resource in official_examples().items():
        size = len(json.dumps(resource, default=str))
        known = shortest.get(resource["resourceType"])
        if size < LARGEST and (known is None or size < known[0]):
            shortest[resource["resourceType"]] = (size, name, resource)
    for _, name, resource in shortest.values():
        yield name, resource


def instances() -> Iterator[tuple[str, Any]]:
    """Yields all of them with their names."""
    yield from plain()
    yield from ours()
    yield from definitions()
    yield from synthetic()
    yield from official()
