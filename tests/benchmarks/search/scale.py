"""`bench-search --scale`: the p95 of each search family over growing databases, side by side in one run.

Databases of each size lie in one MongoDB, each with a server process of its own; every family is asked of all of them
in turn, so that what else the machine does meets all sizes alike. Resources are written straight into MongoDB, through
the server's own index and store: the documents are those that the API would have written, without the time it takes to
check them. They are the pathways of 250 synthetic patients, and copies of them under other ids and identifiers: what
one patient has stays the same at every size, what a code or a month has grows with it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from fhir_server.app import definitions_of, search_parameters_of
from fhir_server.index import MONGODB_INDEXES, Indexer
from fhir_server.settings import Settings
from fhir_server.spec.json_format import decode_trusted, encode
from fhir_server.store import Create, PostingsBuild, open_store
from fhir_server.store.codec import encode as encode_document
from fhir_server.store.embedded import EmbeddedMongod
from fhir_server.store.units import build_document
from tests.benchmarks.client import encode_request, run_round
from tests.benchmarks.processes import ServerProcess, fhir_server
from tests.benchmarks.search.network import INS
from tests.benchmarks.spread import percentile_ms
from tests.support.network import STAMP, pathway

PATIENTS = 250
"""Pathways that are made; the others are copies."""
PER_PATIENT = 40
BATCH = 25
"""Patients that are written at a time."""
ATTEMPTS = 60
"""To make postings: a server that runs may be making them too, and then one of the two gives up."""

FAMILIES: dict[str, str] = {
    "read": "Patient/{patient}",
    "patient + code + date": "Observation?patient={patient}&code=substance-use&date=ge2021-06-01&_sort=date",
    "identifier": "Patient?identifier={ins}",
    "chain + include": "CarePlan?subject:Patient.identifier={ins}&_include=CarePlan:subject",
    "_has": "Patient?_has:CarePlan:patient:status=active&identifier={ins}",
    "include": "CarePlan?patient={patient}&_include=CarePlan:subject",
    "revinclude": "Patient?_id={patient}&_revinclude=Observation:subject",
    "compartment": "Patient/{patient}/Encounter",
    "$everything": "Patient/{patient}/$everything?_count=200",
    "history": "Patient/{patient}/_history",
    "history of a type": "Observation/_history?_count=50",
    "code, newest first": "Observation?code=substance-use&_total=none",
    "code + status": "Observation?code=substance-use&status=final&_total=none",
    "token in a system, sorted by change": "Encounter?type=meeting&_sort=-_lastUpdated&_total=none",
    "month": "Encounter?date=2021-09&_total=none",
    "name": "Patient?family={family}&_total=none",
    "quantity": "Observation?value-quantity=gt20&_total=none",
    "all, newest first": "Observation?_total=none&_count=50",
    "several types": "?_type=Encounter,Observation&_total=none",
    "a word that none has": "Observation?_content=zebra",
    "words of one patient": "Patient?_content={words}&_total=none",
    "a frequent word, newest first": "Observation?_content=verres&_total=none",
    "a display, newest first": "Observation?_tag:text=test&_total=none",
    "part of a name": "Patient?family:contains={part}&_total=none",
    "code, with its total if that is small": "Observation?code=substance-use",
    "code, its total asked for": "Observation?code=substance-use&_total=accurate",
}


def parse_sizes(text: str) -> list[int]:
    """Returns sizes such as `10000,100000`, the smallest first."""
    return sorted(int(size) for size in text.split(","))


def copies(seed: int, copy: int) -> list[dict[str, Any]]:
    """Returns the pathway of a patient, or a copy of it that is another patient's."""
    resources = pathway(seed)
    if not copy:
        return resources
    text = encode(resources).decode().replace(f"/s{seed}-", f"/c{copy}-s{seed}-")
    renamed: list[dict[str, Any]] = [dict(each) for each in decode_trusted(b'{"all":' + text.encode() + b"}")["all"]]
    for resource in renamed:
        resource["id"] = f"c{copy}-{resource['id']}"
        for identifier in resource.get("identifier", ()):
            identifier["value"] = f"{identifier['value']}-{copy}"
    return renamed


def documents(seeds: Sequence[tuple[int, int]]) -> dict[str, list[bytes]]:
    """Returns the encoded documents of patients, by resource type; runs in a process of its own."""
    indexer = _indexer()
    found: dict[str, list[bytes]] = {}
    for seed, copy in seeds:
        for resource in copies(seed, copy):
            whole = {**resource, "meta": {**STAMP, **resource.get("meta", {})}}
            change = Create(whole["resourceType"], whole["id"], whole, indexer.document(whole))
            found.setdefault(whole["resourceType"], []).append(bytes(encode_document(build_document(change)).raw))
    return found


_INDEXERS: list[Indexer] = []


def _indexer() -> Indexer:
    if not _INDEXERS:
        settings = Settings()
        definitions = definitions_of(settings)
        _INDEXERS.append(Indexer(search_parameters_of(settings, definitions)))
    return _INDEXERS[0]


def patients_of(size: int) -> list[tuple[int, int]]:
    """Returns the patients, as (seed, copy), that make about `size` resources."""
    return [(number % PATIENTS, number // PATIENTS) for number in range(max(1, size // PER_PATIENT))]


def load(client: MongoClient[dict[str, Any]], sizes: Sequence[int], pool: ProcessPoolExecutor) -> None:
    """Fills one database per size; what the smaller ones have the larger ones have too."""
    quick = WriteConcern(w=1, j=False)
    wanted = patients_of(sizes[-1])
    batches = [wanted[first : first + BATCH] for first in range(0, len(wanted), BATCH)]
    known: set[tuple[int, str]] = set()
    started, written = time.perf_counter(), 0
    for number, made in enumerate(pool.map(documents, batches, chunksize=4)):
        for size in sizes:
            if number * BATCH * PER_PATIENT >= size:
                continue
            for resource_type, encoded in made.items():
                collection: Collection[Any] = client[database_of(size)].get_collection(
                    resource_type, write_concern=quick
                )
                if (size, resource_type) not in known:
                    known.add((size, resource_type))
                    for keys in (*MONGODB_INDEXES, (("at", -1), ("_id", -1))):
                        collection.create_index(
                            list(keys), name="_".join(f"{field}{direction:+d}" for field, direction in keys)
                        )
                collection.insert_many([RawBSONDocument(each) for each in encoded], ordered=False)
        written += sum(map(len, made.values()))
        if number % 40 == 39:
            print(f"  {written:,} resources, {written / (time.perf_counter() - started):,.0f}/s", flush=True)  # noqa: T201


async def make_postings(uri: str, sizes: Sequence[int]) -> None:
    """Makes the postings of all types that the servers would have made once it was quiet."""
    for size in sizes:
        async with open_store(uri, indexes=MONGODB_INDEXES, database=database_of(size)) as store:
            build = PostingsBuild(store.database, store.collections, margin_s=0)
            started = time.process_time()
            for resource_type in await store.collections.existing_types():
                stored = await store.database[resource_type].find_one({}, {"i": 1})
                for _ in range(ATTEMPTS):
                    if stored is None or await build.catch_up(resource_type, stored["i"]):
                        break
                    await asyncio.sleep(1)
                else:
                    raise RuntimeError(f"{resource_type} at {size}: no postings")
            print(f"  postings of {size:,}: {time.process_time() - started:.0f} s of CPU beside MongoDB's", flush=True)  # noqa: T201


def database_of(size: int) -> str:
    """Returns the name of the database of a size."""
    return f"scale_{size}"


def paths(template: str, patients: Sequence[dict[str, str]], chance: random.Random) -> Iterator[str]:
    """Yields the requests of a family, about one patient after the other."""
    while True:
        yield template.format(**chance.choice(patients))


def known_patients(client: MongoClient[dict[str, Any]], size: int, limit: int = 500) -> list[dict[str, str]]:
    """Returns what the requests say of a patient: id, identifier, family name, words that hardly any other has."""
    found = client[database_of(size)]["Patient"].aggregate(
        [{"$sample": {"size": limit}}, {"$project": {"resource": 1}}]
    )
    patients = []
    for document in found:
        resource = document["resource"]
        [ins] = [each["value"] for each in resource["identifier"] if each["system"] == INS]
        family = resource["name"][0]["family"]
        named = {"family": family.lower(), "part": family.lower()[1:5], "words": ins.replace("-", "%20")}
        patients.append({"patient": resource["id"], "ins": f"{INS}|{ins}", **named})
    return patients


async def measure(
    ports: dict[int, int], patients: dict[int, list[dict[str, str]]], rounds: int, seconds: float
) -> dict[str, dict[int, list[float]]]:
    """Returns the times of the answers, by family and size; raises RuntimeError where one is no 200."""
    times: dict[str, dict[int, list[float]]] = {name: {size: [] for size in ports} for name in FAMILIES}
    chance = random.Random(1)
    for turn in range(rounds + 1):
        for name, template in FAMILIES.items():
            for size, port in ports.items():
                requests = (
                    encode_request("GET", f"/fhir/{path}".replace("/fhir/?", "/fhir?"))
                    for path in paths(template, patients[size], chance)
                )
                done = await run_round(port, requests, seconds=seconds, connections=1)
                wrong = [answer for answer in done.answers if answer.status != 200]
                if wrong or done.failures:
                    raise RuntimeError(f"{name} at {size}: {wrong[0].body[:500]!r}" if wrong else str(done.failures))
                if turn:
                    times[name][size] += [answer.seconds for answer in done.answers]
    return times


def format_scale(times: dict[str, dict[int, list[float]]]) -> str:
    """Returns the report as a Markdown table: p95 in ms by size, and the ratio of the largest to the smallest."""
    sizes = list(next(iter(times.values())))
    head = ["family", *(f"{size:,}, p50 / p95 ms" for size in sizes), "p95, largest / smallest"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, by_size in times.items():
        cells = [f"{percentile_ms(each, 50):.1f} / {percentile_ms(each, 95):.1f}" for each in by_size.values()]
        ratio = percentile_ms(by_size[sizes[-1]], 95) / percentile_ms(by_size[sizes[0]], 95)
        lines.append("| " + " | ".join([name, *cells, f"{ratio:.2f}"]) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Returns 0 after the report."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.search.scale", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--sizes", type=parse_sizes, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.7)
    options = parser.parse_args(arguments)
    say = partial(print, flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongod = stack.enter_context(EmbeddedMongod(cache_gb=4.0))
        client: MongoClient[dict[str, Any]] = stack.enter_context(MongoClient(mongod.uri))
        servers: dict[int, ServerProcess] = {}
        for size in options.sizes:
            # Started on an empty database: the server then knows that all of it is indexed as it would.
            server = stack.enter_context(fhir_server(log=folder / f"{size}.log", workers=1))
            server.start({"FHIR_MONGODB_URI": mongod.uri, "FHIR_MONGODB_DATABASE": database_of(size)})
            servers[size] = server
        say(f"Writing {', '.join(f'{size:,}' for size in options.sizes)} resources; {datetime.now(UTC):%H:%M} UTC …")
        with ProcessPoolExecutor(2) as pool:
            load(client, options.sizes, pool)
        uvloop.run(make_postings(mongod.uri, options.sizes))
        patients = {size: known_patients(client, size) for size in options.sizes}
        ports = {size: server.port for size, server in servers.items()}
        times = uvloop.run(measure(ports, patients, options.rounds, options.seconds))
        say("\n" + format_scale(times))
        for server in servers.values():
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
