"""`make bench`: the server beside a bare ASGI function, in one run, on one machine, against one MongoDB.

Rounds of all lines follow each other and are repeated in turn, forwards and backwards, so that whatever the machine
does besides meets all of them alike; a ratio is taken between rounds of the same turn.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from pymongo import MongoClient

from fhir_server.store.embedded import EmbeddedMongod
from fhir_server.synthetic import pathway_bundle
from tests.benchmarks import packages
from tests.benchmarks.bare import URI_VARIABLE
from tests.benchmarks.client import CONNECTIONS, run_round
from tests.benchmarks.index_keys import keys_per_observation
from tests.benchmarks.lines import NAMES, TARGETS, Line, format_table, to_json
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.preparation import PATHWAYS, Stored, prepare
from tests.benchmarks.processes import ServerProcess, bare_server, command_line, fhir_server, resident_mb
from tests.benchmarks.terminology import Expand, Lookup
from tests.benchmarks.workloads import (
    ConditionalCreate,
    Create,
    Pathways,
    Read,
    Update,
    Validate,
    Workload,
    first_errors,
)

DATABASE = "bench"
STARTS = 3
WARM_UP_S = 1.0
FIRST_NUMBERS = {
    "bare-create": 10_000_000,
    "create": 10_000_000,
    "update": 500_000_000,
    "conditional-create": 900_000_000,
    "validate": 950_000_000,
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    seconds: float
    rounds: int
    workers: int
    only: tuple[str, ...]
    json_file: Path | None
    strict: bool


def parse_options(arguments: Sequence[str]) -> Options:
    """Returns the options; exits with a sentence for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each line")
    parser.add_argument("--workers", type=int, default=2, choices=(1, 2), help="processes of each server")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this line (may be repeated)")
    parser.add_argument("--json", type=Path, dest="json_file", metavar="FILE", help="write all rounds to a file")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    given = parser.parse_args(arguments)
    only = tuple(given.only or NAMES)
    yardsticks = {target.yardstick for target in TARGETS if target.name in only}
    chosen = tuple(name for name in NAMES if name in only or name in yardsticks)
    return Options(given.seconds, given.rounds, given.workers, chosen, given.json_file, given.strict)


def say(text: str) -> None:
    """Writes one line at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def start_repeatedly(server: ServerProcess, environment: dict[str, str]) -> list[float]:
    """Returns the start-up times of a server, which runs afterwards; without the first, on an empty database."""
    times = []
    for left in range(STARTS, -1, -1):
        times.append(server.start(environment))
        if left:
            server.stop()
    return times[1:]


def server_memory(server: ServerProcess) -> list[float]:
    """Returns the resident memory of the server's processes in MB, without the interpreter's own helper."""
    return [resident_mb(pid) for pid in server.members() if "resource_tracker" not in command_line(pid)]


def build_workloads(stored: Stored, fhir: int, bare: int, first: dict[str, int]) -> dict[str, Workload]:
    """Returns the workload of each timed line, by name, in the order of a round."""
    pathways = Pathways(fhir, pathway_bundle, first=PATHWAYS)
    templates = stored.templates
    return {
        "bare-read": Read(bare, stored.bare, bare=True),
        "read": Read(fhir, stored.fhir, bare=False),
        "bare-create": Create(bare, templates, first=first["bare-create"], bare=True),
        "create": Create(fhir, templates, first=first["create"], bare=False),
        "update": Update(fhir, stored.changeable, first=first["update"]),
        "conditional-create": ConditionalCreate(fhir, templates, first=first["conditional-create"]),
        "validate": Validate(fhir, templates, first=first["validate"]),
        "expand": Expand(fhir),
        "lookup": Lookup(fhir),
        "pathway": pathways,
    }


async def measure(workload: Workload, line: Line, seconds: float, *, keep: bool = True) -> None:
    """Runs one round and adds its rate to the line, or its errors if an answer was wrong or missing."""
    done = await run_round(workload.port, workload.requests(seconds), seconds=seconds)
    errors = done.failures + first_errors(workload, done.answers)
    if errors:
        line.errors += errors
        return
    if isinstance(workload, Pathways):
        workload.expect(len(done.answers) / done.seconds)
    if keep:
        line.figures.append(sum(workload.resources(answer) for answer in done.answers) / done.seconds)
        line.latencies += [answer.seconds for answer in done.answers]


async def measure_rates(options: Options, lines: dict[str, Line], fhir: int, bare: int) -> None:
    """Runs the rounds of all timed lines; a line with wrong answers is not run again."""
    say("Loading the network, pathways and Observations …")
    workloads = build_workloads(await prepare(fhir, bare), fhir, bare, FIRST_NUMBERS)
    chosen = [name for name in workloads if name in options.only]
    for turn in range(options.rounds + 1):
        for name in chosen if turn % 2 else reversed(chosen):
            if not lines[name].errors:
                await measure(workloads[name], lines[name], options.seconds if turn else WARM_UP_S, keep=turn > 0)
        if turn:
            rates = (f"{name} {lines[name].figures[-1]:,.0f}" for name in chosen if lines[name].figures)
            say(f"Round {turn} of {options.rounds}: {', '.join(rates)}")


def run(options: Options) -> dict[str, Line]:
    """Returns the measured lines; starts and ends MongoDB and both servers."""
    lines = {target.name: Line(target) for target in TARGETS if target.name in options.only}
    with tempfile.TemporaryDirectory() as folder, EmbeddedMongod() as mongod:
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            say(describe_machine(client.server_info()["version"], options.workers, CONNECTIONS))
        log = Path(folder)
        fhir = fhir_server(log=log / "fhir.log", workers=options.workers)
        bare = bare_server(log=log / "bare.log", workers=options.workers)
        with fhir, bare:
            environment = {"FHIR_MONGODB_URI": mongod.uri, "FHIR_MONGODB_DATABASE": DATABASE}
            measured: dict[str, list[float]] = {}
            if {packages.START_UP, packages.MEMORY} & lines.keys():
                measured = packages.measure_packages(fhir, environment, start_repeatedly, server_memory)
            starts = start_repeatedly(fhir, environment)
            bare.start({URI_VARIABLE: mongod.uri})
            uvloop.run(measure_rates(options, lines, fhir.port, bare.port))
            measured |= {"start-up": starts, "memory": server_memory(fhir)}
            if "index-keys" in lines:
                measured["index-keys"] = keys_per_observation(mongod.uri, DATABASE)
            for name in measured.keys() & lines.keys():
                lines[name].figures += measured[name]
            fhir.stop()
            bare.stop()
    return lines


def main(arguments: Sequence[str]) -> int:
    """Returns 0; with `--strict` 1 if a target is missed; 2 if an answer was wrong."""
    options = parse_options(arguments)
    lines = run(options)
    say("\n" + format_table(list(lines.values())))
    if options.json_file:
        options.json_file.write_text(json.dumps(to_json(list(lines.values())), indent=1, ensure_ascii=False) + "\n")
    wrong = [f"{line.target.name}: {error}" for line in lines.values() for error in line.errors]
    for error in wrong:
        say(f"Wrong answer in {error}")
    if wrong:
        return 2
    missed = [line for line in lines.values() if line.is_met(lines) is False]
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
