"""What must be there before the clock starts: the network, some pathways, and Observations to read and to change."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fhir_server.synthetic import network_bundle, pathway_bundle
from tests.benchmarks.client import Answer, encode_request, run_round
from tests.benchmarks.observations import Template
from tests.benchmarks.terminology import definitions
from tests.benchmarks.workloads import Create, first_errors

PATHWAYS = 24
STORED = 512

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Stored:
    """Observations that both servers hold: the same bodies, each server's own ids."""

    templates: list[Template]
    fhir: list[tuple[str, bytes]]
    bare: list[tuple[str, bytes]]
    changeable: list[tuple[str, Template]]


async def exchange(port: int, requests: Sequence[bytes], *, connections: int = 4) -> list[Answer]:
    """Returns the answers in the order of the requests; raises RuntimeError unless each has a 2xx status."""
    done = await run_round(port, iter(requests), seconds=120, connections=connections)
    wrong = [answer for answer in done.answers if answer.status // 100 != 2]
    if wrong or done.failures or len(done.answers) != len(requests):
        shown = wrong[0].raw[:3000].decode(errors="replace") if wrong else done.failures
        raise RuntimeError(f"Preparation failed for {len(requests) - len(done.answers) + len(wrong)}: {shown}")
    return sorted(done.answers, key=lambda answer: answer.number)


async def prepare(fhir_port: int, bare_port: int) -> Stored:
    """Returns what the timed rounds work on, after loading it through the public API of both servers."""
    await exchange(fhir_port, [encode_request("POST", "/fhir", _encode(network_bundle()))], connections=1)
    await exchange(fhir_port, definitions(), connections=1)
    bundles = [_encode(pathway_bundle(seed)) for seed in range(PATHWAYS)]
    answers = await exchange(fhir_port, [encode_request("POST", "/fhir", bundle) for bundle in bundles])
    observations = await _observations(fhir_port, answers)
    templates = [Template.of(observation) for observation in observations]
    fhir, bare = await _store(fhir_port, templates, bare=False), await _store(bare_port, templates, bare=True)
    changing = Create(fhir_port, templates, first=STORED, bare=False)
    made = await exchange(fhir_port, [changing.encode(number) for number in range(STORED, 2 * STORED)])
    resources: list[dict[str, Any]] = [msgspec.json.Decoder(float_hook=Decimal).decode(answer.body) for answer in made]
    changeable = [(resource["id"], Template.of(resource, resource["id"])) for resource in resources]
    return Stored(templates, fhir, bare, changeable)


async def _store(port: int, templates: list[Template], *, bare: bool) -> list[tuple[str, bytes]]:
    workload = Create(port, templates, first=0, bare=bare)
    answers = await exchange(port, [workload.encode(number) for number in range(STORED)])
    errors = first_errors(workload, answers)
    if errors:
        raise RuntimeError(f"Preparation failed: {errors}")
    ids = [_decode(answer.body)["_id" if bare else "id"] for answer in answers]
    return [(id_, workload.body(number)) for number, id_ in enumerate(ids)]


async def _observations(port: int, answers: list[Answer]) -> list[dict[str, Any]]:
    """Returns the profiled Observations that the pathway bundles made, as the server stores them."""
    locations = [entry["response"]["location"] for answer in answers for entry in _decode(answer.body)["entry"]]
    paths = ["/fhir/" + urlsplit(text).path.removeprefix("/fhir/").partition("/_history")[0] for text in locations]
    reads = await exchange(port, [encode_request("GET", path) for path in paths if "Observation/" in path])
    decoded = [msgspec.json.Decoder(float_hook=Decimal).decode(answer.body) for answer in reads]
    found = [resource for resource in decoded if resource["meta"].get("profile")]
    if not found:
        raise RuntimeError("The pathway bundles made no Observation with a profile")
    return found
