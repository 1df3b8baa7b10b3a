"""`make bench-validation`: resources validated per second on one core, and what each rule costs.

All rules are on, as when the server writes: R4, profiles, terminology, constraints. Rounds of all lines follow each
other and are repeated, forwards and backwards; each line is timed by the process's own CPU time and by the wall clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks.machine import describe_python
from tests.benchmarks.spread import spread
from tests.benchmarks.validation.costs import Costs, format_costs, measure
from tests.benchmarks.validation.startup import format_starts, start
from tests.benchmarks.validation.workloads import (
    PACKAGE,
    Workload,
    as_json,
    example_workload,
    fr_core_workload,
    install,
    judge_write,
    msma_validator,
    msma_workloads,
    size_text,
)
from tests.support.suites import SUITES

STARTS = 3
NAMES = (
    "observations",
    "observations-json",
    "invalid-observations",
    "bundles",
    "bundles-json",
    "invalid-bundles",
    "fr-core-patients",
    "r4-examples",
)


@dataclass(slots=True)
class Line:
    """A workload and its rounds: items per second of CPU, and per second of the wall clock."""

    workload: Workload
    cpu_rates: list[float] = field(default_factory=list)
    wall_rates: list[float] = field(default_factory=list)

    @property
    def is_met(self) -> bool | None:
        """Whether the median by CPU time reaches the target; None where there is none."""
        target = self.workload.target
        return None if target is None or not self.cpu_rates else spread(self.cpu_rates).median >= target


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns the options; exits with a sentence for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.validation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one round (default 1)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each line (default 5)")
    parser.add_argument(
        "--patients", type=int, default=100, help="pathways to validate, one patient each (default 100)"
    )
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to stay on")
    parser.add_argument("--rows", type=int, default=25, help="rows of the table of costs (default 25; 0: no table)")
    parser.add_argument(
        "--package", type=Path, default=PACKAGE, help="FR Core's package (default: beside the checkout, if it is there)"
    )
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this line (may be repeated)")
    parser.add_argument("--json", type=Path, dest="json_file", metavar="FILE", help="write all rounds to a file")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    """Writes one line at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def build_lines(options: argparse.Namespace, folder: Path) -> list[Line]:
    """Returns the lines that are asked for and whose data are there."""
    wanted = options.only or NAMES
    validator = msma_validator()
    workloads = msma_workloads(validator, options.patients)
    if (SUITES / "r4-examples").is_dir():
        workloads.append(example_workload(validator))
    if options.package.is_file():
        install(options.package, folder)
        workloads.append(fr_core_workload(msma_validator(folder), options.patients))
    return [Line(workload) for workload in workloads if workload.name in wanted]


def run_round(line: Line, seconds: float, *, keep: bool) -> None:
    """Judges all items of a line, again and again until the time is over."""
    judge, items = line.workload.judge, line.workload.items
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        for item in items:
            judge(item)
        count += len(items)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if keep:
        line.cpu_rates.append(count / cpu)
        line.wall_rates.append(count / wall)


def run(lines: Sequence[Line], options: argparse.Namespace) -> None:
    """Runs the rounds of all lines in turn; the first turn warms up."""
    with tqdm(total=len(lines) * (options.rounds + 1), unit=" rounds", disable=None, leave=False) as bar:
        for turn in range(options.rounds + 1):
            for line in lines if turn % 2 else reversed(lines):
                bar.set_description(line.workload.name)
                run_round(line, options.seconds if turn else options.seconds / 4, keep=turn > 0)
                bar.update()


def format_table(lines: Sequence[Line]) -> str:
    """Returns the report as a Markdown table."""
    rows = [("line", "items", "per second of CPU (min–max)", "per second (min–max)", "target", "verdict"), ("---",) * 6]
    for line in lines:
        target = line.workload.target
        rows.append(
            (
                line.workload.text,
                size_text(line.workload),
                spread(line.cpu_rates).format(),
                spread(line.wall_rates).format(),
                "" if target is None else f"≥ {target:,.0f}",
                {None: "", True: "met", False: "MISSED"}[line.is_met],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows)


def cost_table(options: argparse.Namespace) -> str:
    """Returns what each rule costs in the Observations of the pathways, measured in a validator of its own."""
    plain = msma_validator()
    observations = next(w for w in msma_workloads(plain, options.patients) if w.name == "observations")
    line = Line(observations)
    for turn in range(2):
        run_round(line, options.seconds, keep=turn > 0)
    costs = Costs()
    with costs.watching():
        judge = judge_write(msma_validator())
        measured = measure(costs, judge, observations.items)
    items = len(observations.items)
    return format_costs(measured, items, items / line.cpu_rates[0], options.rows)


def main(arguments: Sequence[str]) -> int:
    """Returns 0; with `--strict` 1 if a target is missed; 2 if a verdict was wrong."""
    options = parse_options(arguments)
    os.sched_setaffinity(0, {options.core})
    say(f"{describe_python()}; on core {options.core}")
    with tempfile.TemporaryDirectory() as folder:
        lines = build_lines(options, Path(folder))
        wrong = [sentence for line in lines if (sentence := line.workload.wrong())]
        for sentence in wrong:
            say(f"Wrong verdict in {sentence}")
        if wrong:
            return 2
        run(lines, options)
        say("\n" + format_table(lines))
        if options.package.is_file():
            say("\n" + format_starts([start(Path(folder)) for _ in range(STARTS)]))
    if options.rows:
        say("\nWhat the rules cost in MSMA Observations:\n\n" + cost_table(options))
    if options.json_file:
        figures = [{"line": each.workload.name, "cpu": each.cpu_rates, "wall": each.wall_rates} for each in lines]
        options.json_file.write_text(as_json(figures))
    return 1 if options.strict and any(line.is_met is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
