"""What each rule costs: the source of the quick look, with a clock around the lines of every check.

The lines stay where they are, so that what is measured is what runs. A clock counts the checks inside another one out
of it; what the clocks themselves cost is measured on an empty check and taken off. The report says how much of the
time that the same work takes without clocks the table explains.
"""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from fhir_server.fhirpath.code import Code

CALIBRATION, PASSES = 200_000, 9
LABELS = {
    "_twin_check": "{entry[key]} (twin)",
    "_expression_check": "{entry[key]} (FHIRPath)",
    "_concept_check": "binding of a CodeableConcept to {test.canonical}",
    "_coding_check": "binding of a Coding to {test.canonical}",
    "_code_check": "binding of a code to {test.canonical}",
    "code_check": "binding of a code, required",
    "_pattern_check": "primitive {type_name}",
    "primitive_check": "primitive {type_name}",
    "_text_check": "primitive {type_name}",
    "target_check": "reference target: {listed}",
    "unless": "",
    "check_literal": "reference to a contained resource, and its type",
    "check_narrative": "narrative: XHTML",
    "object_check": "objects: names, cardinality, choices",
    "array_check": "arrays",
    "deep_check": "depth",
    "slices_check": "slices: which, how many",
    "single_check": "profile: element {name}",
    "repeating_check": "profile: element {name}",
    "choice_check": "profile: choice {step}",
    "with_test": "profiles in meta.profile, and resources inside others",
    "ProfileChecks.check": "profiles: call",
    "_coding_pattern_check": "pattern of a coding",
    "pattern_check": "pattern",
    "CodingRules.rules": "codings: what their systems say",
    "ExtensionRules.holder_check": "extensions: place and number",
    "canonical_check": "canonical: contained, type of its target",
    "check_contained_ids": "ids of contained resources",
    "target_profile_check": "reference target: its profile, aggregation, version",
    "all_well": "",
    "_both": "",
    "_all": "",
    "_on_objects": "",
    "ExtensionRules.check_known": "extensions: definition",
    "ExtensionRules.check_content": "extensions: value or extensions (ext-1)",
}
"""Name of what makes a check to what the check is called; an empty one leaves its cost to what it is part of."""


@dataclass(slots=True)
class Cost:
    """How often a rule was asked and what that took, in ns, what is inside it counted out."""

    label: str
    calls: int = 0
    nanoseconds: float = 0.0


class Costs:
    """Clocks around the lines of every check compiled while `watching`."""

    def __init__(self) -> None:
        self._slots: dict[str, list[int]] = {}
        self._inner = [0, 0]
        """Time and number of the clocked parts that ended inside the one under way."""
        self._clock: tuple[float, float] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Puts clocks into all that is compiled meanwhile."""
        costs = self

        @contextmanager
        def part(code: Code, of: Any) -> Iterator[None]:
            label = label_of(of)
            if not label:
                yield
                return
            slot = costs._slots.setdefault(label, [0, 0, 0])
            names = [code.constant(each) for each in (slot, costs._inner, time.perf_counter_ns)]
            slot_name, inner, clock = names
            before, count, start, spent = (code.fresh() for _ in range(4))
            code.put(f"{before}, {count} = {inner}; {inner}[:] = 0, 0; {start} = {clock}()")
            yield
            code.put(f"{spent} = {clock}() - {start}; {slot_name}[0] += 1; {slot_name}[1] += {spent} - {inner}[0]")
            code.put(f"{slot_name}[2] += {inner}[1]; {inner}[:] = {before} + {spent}, {count} + 1")

        with patch.object(Code, "part", part):
            yield

    def reset(self) -> None:
        """Forgets what was measured so far."""
        for slot in self._slots.values():
            slot[:] = 0, 0, 0

    def report(self) -> list[Cost]:
        """Returns the costs since the last `reset`, without what the clocks cost."""
        if self._clock is None:
            self._clock = clock_cost()
        inside, outside = self._clock
        return [
            Cost(label, calls, max(spent - calls * inside - parts * outside, 0.0))
            for label, (calls, spent, parts) in self._slots.items()
            if calls
        ]


def label_of(check: Any) -> str:
    """Returns what a check is called in the table; its own name where nothing better is known."""
    maker = str(getattr(check, "__qualname__", type(check).__name__)).partition(".<locals>")[0]
    template = LABELS.get(maker, maker)
    if "{" not in template:
        return template
    return template.format(**inspect.getclosurevars(check).nonlocals)


def clock_cost() -> tuple[float, float]:
    """Returns what one clock adds to the part that it stands around, and to the part around that one, in ns."""
    costs = Costs()
    with costs.watching():
        code = Code()
        with code.block("for _ in range(n):"), code.part(_outer), code.part(_empty):
            pass
        loop = code.function("loop", "n")
        loop(CALIBRATION)
    empty, outer = costs._slots["_empty"], costs._slots["_outer"]
    inside = empty[1] / CALIBRATION
    return inside, outer[1] / CALIBRATION - inside


def _empty() -> None: ...


def _outer() -> None: ...


def measure(costs: Costs, judge: Callable[[Any], Any], items: Sequence[Any]) -> list[Cost]:
    """Returns the costs of judging `items` once, after what was learnt from them: the median of several times, as a
    clock also runs while another process has the core.
    """
    found: dict[str, list[Cost]] = {}
    for turn in range(2 + PASSES):
        costs.reset()
        for item in items:
            judge(item)
        for cost in costs.report() if turn > 1 else ():
            found.setdefault(cost.label, []).append(cost)
    medians = [
        Cost(label, passes[0].calls, statistics.median(each.nanoseconds for each in passes))
        for label, passes in found.items()
    ]
    return sorted(medians, key=lambda cost: -cost.nanoseconds)


def format_costs(costs: Sequence[Cost], items: int, seconds: float, rows: int) -> str:
    """Returns a Markdown table of the dearest rules; `seconds` is what the same items take without clocks."""
    total = sum(cost.nanoseconds for cost in costs)
    lines = ["| rule | calls per resource | µs per call | share |", "|---|--:|--:|--:|"]
    for cost in costs[:rows]:
        each = cost.nanoseconds / cost.calls / 1000
        lines.append(f"| {cost.label} | {cost.calls / items:.2f} | {each:.2f} | {cost.nanoseconds / total:.1%} |")
    explained = total / 1e9 / seconds
    each = total / items / 1000
    lines.append(f"\n{len(costs)} rules in all; {each:.1f} µs a resource, {explained:.0%} of the time without clocks.")
    return "\n".join(lines)
