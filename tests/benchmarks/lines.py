"""The lines of the report: name, unit, target, and the figures that came out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.benchmarks.spread import Spread, percentile_ms, ratios, spread

RATE, COUNT, MEGABYTES, SECONDS = "per second", "keys", "MB", "s"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a line: `value` is a least ratio to `yardstick`, a least rate, or a greatest amount."""

    name: str
    text: str
    unit: str
    value: float | None = None
    yardstick: str | None = None
    at_most: bool = False


TARGETS = (
    Target("bare-read", "bare function: one find", RATE),
    Target("read", "read", RATE, 1.5, "bare-read"),
    Target("bare-create", "bare function: one insert", RATE),
    Target("create", "create, profile checked", RATE, 1.0, "bare-create"),
    Target("update", "update with If-Match", RATE, 0.5, "bare-create"),
    Target("conditional-create", "create with If-None-Exist", RATE, 0.5, "bare-create"),
    Target("validate", "$validate with mode=create", RATE, 950),
    Target("expand", "$expand of 1,000 codes", RATE, 100),
    Target("lookup", "$lookup of one code", RATE, 0.6, "bare-read"),
    Target("pathway", "pathway bundles, in resources", RATE, 4000),
    Target("index-keys", "index keys per Observation", COUNT, 40, at_most=True),
    Target("memory", "resident memory per process", MEGABYTES, 300, at_most=True),
    Target("start-up", "start-up beside MongoDB", SECONDS, 3, at_most=True),
    Target("start-up-fr-core", "start-up, FR Core installed", SECONDS, 3, at_most=True),
    Target("memory-fr-core", "resident memory, all its profiles checked", MEGABYTES, 300, at_most=True),
)
NAMES = tuple(target.name for target in TARGETS)


@dataclass(slots=True)
class Line:
    """One target with its figures: rates by round, or measured amounts."""

    target: Target
    figures: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def ratio(self, lines: dict[str, "Line"]) -> Spread | None:
        """Returns the spread of the ratio to the yardstick, round by round; None without one."""
        other = lines.get(self.target.yardstick or "")
        return ratios(self.figures, other.figures) if other and other.figures and self.figures else None

    def is_met(self, lines: dict[str, "Line"]) -> bool | None:
        """Returns whether the target is met; None where there is none. Wrong answers never meet a target.

        A rate is judged by its median, an amount by its greatest figure.
        """
        if self.target.value is None or self.errors or not self.figures:
            return False if self.errors else None
        if self.target.yardstick:
            ratio = self.ratio(lines)
            return ratio is not None and ratio.median >= self.target.value
        measured = spread(self.figures)
        return measured.high <= self.target.value if self.target.at_most else measured.median >= self.target.value


def format_table(lines: Sequence[Line]) -> str:
    """Returns the report as a Markdown table."""
    by_name = {line.target.name: line for line in lines}
    head = ("line", "unit", "median (min–max)", "ratio to bare (min–max)", "p50 / p99 ms", "target", "verdict")
    rows = [head, tuple("---" for _ in head)]
    rows += [_row(line, by_name) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows)


def _row(line: Line, lines: dict[str, Line]) -> tuple[str, ...]:
    target, ratio = line.target, line.ratio(lines)
    digits = 2 if target.unit == SECONDS else 0
    measured = spread(line.figures).format(digits) if line.figures else "–"
    times = line.latencies
    latency = f"{percentile_ms(times, 50):.1f} / {percentile_ms(times, 99):.1f}" if times else ""
    return (
        target.text,
        target.unit,
        measured,
        ratio.format(2) if ratio else "",
        latency,
        _target_text(target),
        {None: "", True: "met", False: "WRONG ANSWERS" if line.errors else "MISSED"}[line.is_met(lines)],
    )


def _target_text(target: Target) -> str:
    if target.value is None:
        return ""
    if target.yardstick:
        return f"≥ {target.value:.1f} × {target.yardstick}"
    return f"{'≤' if target.at_most else '≥'} {target.value:,.0f}"


def to_json(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Returns the lines with all their rounds, for a file."""
    by_name = {line.target.name: line for line in lines}
    return [
        {
            **asdict(line.target),
            "figures": line.figures,
            "ratio": asdict(ratio) if (ratio := line.ratio(by_name)) else None,
            "errors": line.errors,
            "met": line.is_met(by_name),
        }
        for line in lines
    ]
