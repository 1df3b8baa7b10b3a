"""`make bench-search`: searches, histories and paging over some 22,000 resources, each answer checked.

Rounds of all lines follow each other and are repeated, as in `make bench`. The CPU time of the server and of MongoDB
per request stands beside each rate: it changes less with what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from pymongo import MongoClient

from fhir_server.store.embedded import EmbeddedMongod
from tests.benchmarks.__main__ import WARM_UP_S, say
from tests.benchmarks.client import CONNECTIONS, encode_request, run_round
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.processes import ServerProcess, fhir_server
from tests.benchmarks.search import scale
from tests.benchmarks.search.cpu import cpu_seconds
from tests.benchmarks.search.families import BUILDERS, FAMILIES, NAMES, Family, page_queries
from tests.benchmarks.search.network import change, load, read_network
from tests.benchmarks.search.queries import Queries
from tests.benchmarks.spread import percentile_ms, spread
from tests.benchmarks.workloads import first_errors

DATABASE = "bench_search"


@dataclass(slots=True)
class Measured:
    """The rounds of one line: rates, times, CPU in ms per request of the server and of MongoDB."""

    family: Family
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    mongodb_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    absent: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the median rate reaches the target; None where the server does not do this yet."""
        if self.absent:
            return None
        return not self.errors and bool(self.rates) and spread(self.rates).median >= self.family.target


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns the options; exits with a sentence for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.search", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each line")
    parser.add_argument("--workers", type=int, default=2, choices=(1, 2), help="processes of the server")
    parser.add_argument("--patients", type=int, default=550, help="pathways to load, of about 40 resources each")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this line (may be repeated)")
    parser.add_argument("--json", type=Path, dest="json_file", metavar="FILE", help="write all rounds to a file")
    parser.add_argument("--scale", action="store_true", help="p95 by size instead; see `scale` for its own options")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    return parser.parse_args(arguments)


async def measure_all(options: argparse.Namespace, uri: str, server: ServerProcess, mongod: int) -> list[Measured]:
    """Loads the network, then runs the rounds of all lines."""
    say(f"Loading the pathways of {options.patients} patients …")
    await load(server.port, options.patients)
    network = read_network(uri, DATABASE)
    await change(server.port, network)
    say(f"{len(network.resources):,} resources.")
    paged = await page_queries(server.port, network)
    lines = [Measured(family) for family in FAMILIES if family.name in (options.only or NAMES)]
    workloads = {}
    for line in lines:
        name = line.family.name
        queries = paged[name] if name in paged else BUILDERS[name](network)
        workloads[name] = Queries(server.port, queries, counts_resources=line.family.in_resources)
        await _probe(line, workloads[name])
    for turn in range(options.rounds + 1):
        for line in lines if turn % 2 else reversed(lines):
            if not line.errors and not line.absent:
                seconds = options.seconds if turn else WARM_UP_S
                await _measure(line, workloads[line.family.name], seconds, (server, mongod), keep=turn > 0)
        if turn:
            say(
                f"Round {turn} of {options.rounds}: "
                + ", ".join(f"{m.family.name} {m.rates[-1]:,.0f}" for m in lines if m.rates)
            )
    return lines


async def _probe(line: Measured, workload: Queries) -> None:
    """Finds out whether the server does this at all; one that does not is no error, and no figure."""
    query = workload.queries[0]
    done = await run_round(
        workload.port, iter([encode_request("GET", f"/fhir/{query.path}")]), seconds=30, connections=1
    )
    [answer] = done.answers
    if answer.status in (400, 404, 405):
        line.absent = f"{answer.status}"


async def _measure(
    line: Measured, workload: Queries, seconds: float, processes: tuple[ServerProcess, int], *, keep: bool
) -> None:
    server, mongod = processes
    members = server.members()
    before = cpu_seconds(members), cpu_seconds([mongod])
    done = await run_round(workload.port, workload.requests(seconds), seconds=seconds)
    after = cpu_seconds(members), cpu_seconds([mongod])
    errors = done.failures + first_errors(workload, done.answers)
    if errors:
        line.errors += errors
    elif keep:
        line.rates.append(sum(workload.resources(answer) for answer in done.answers) / done.seconds)
        line.latencies += [answer.seconds for answer in done.answers]
        line.server_ms.append((after[0] - before[0]) / len(done.answers) * 1000)
        line.mongodb_ms.append((after[1] - before[1]) / len(done.answers) * 1000)


def format_table(lines: Sequence[Measured]) -> str:
    """Returns the report as a Markdown table."""
    rows = [
        ("line", "per second, median (min–max)", "p50 / p99 ms", "CPU server + MongoDB, ms", "target", "verdict"),
        ("---",) * 6,
    ]
    for line in lines:
        target = f"≥ {line.family.target:,.0f}"
        if line.absent or line.errors:
            verdict = f"not there yet ({line.absent})" if line.absent else "WRONG ANSWERS"
            rows.append((line.family.text, "–", "", "", target, verdict))
            continue
        times = line.latencies
        rows.append(
            (
                line.family.text,
                spread(line.rates).format(),
                f"{percentile_ms(times, 50):.1f} / {percentile_ms(times, 99):.1f}",
                f"{spread(line.server_ms).median:.2f} + {spread(line.mongodb_ms).median:.2f}",
                target,
                "met" if line.is_met else "MISSED",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows)


def run(options: argparse.Namespace) -> list[Measured]:
    """Returns the measured lines; starts and ends MongoDB and the server."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedMongod() as mongod:
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            say(describe_machine(client.server_info()["version"], options.workers, CONNECTIONS))
        with fhir_server(log=Path(folder) / "fhir.log", workers=options.workers) as server:
            server.start({"FHIR_MONGODB_URI": mongod.uri, "FHIR_MONGODB_DATABASE": DATABASE, "FHIR_PAGE_KEY": "bench"})
            lines = uvloop.run(measure_all(options, mongod.uri, server, mongod.process_id))
            server.stop()
    return lines


def main(arguments: Sequence[str]) -> int:
    """Returns 0; with `--strict` 1 if a target is missed; 2 if an answer was wrong."""
    if "--scale" in arguments:
        return scale.main([argument for argument in arguments if argument != "--scale"])
    options = parse_options(arguments)
    lines = run(options)
    say("\n" + format_table(lines))
    if options.json_file:
        figures = [
            {
                "line": line.family.name,
                "per_second": line.rates,
                "server_ms": line.server_ms,
                "mongodb_ms": line.mongodb_ms,
                "errors": line.errors,
            }
            for line in lines
        ]
        options.json_file.write_text(json.dumps(figures, indent=1) + "\n")
    wrong = [f"{line.family.name}: {error}" for line in lines for error in line.errors]
    for error in wrong:
        say(f"Wrong answer in {error}")
    if wrong:
        return 2
    return 1 if options.strict and any(line.is_met is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
