"""The benchmark of the validator: what it judges is judged right, and its clocks count what was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.validation.__main__ import Line, format_table, parse_options, run_round
from tests.benchmarks.validation.costs import Costs, format_costs, measure
from tests.benchmarks.validation.workloads import FAULTS, Workload, judge_write, msma_validator, msma_workloads

PATIENTS = 2


@pytest.fixture(scope="module")
def workloads() -> dict[str, Workload]:
    return {workload.name: workload for workload in msma_workloads(msma_validator(), PATIENTS)}


def test_verdicts_are_right(workloads: dict[str, Workload]) -> None:
    assert [sentence for workload in workloads.values() if (sentence := workload.wrong())] == []


def test_wrong_verdict_is_told(workloads: dict[str, Workload]) -> None:
    invalid = workloads["invalid-observations"]
    assert FAULTS[0].rule in replace(invalid, rules=()).wrong()
    assert "unheard-of" in replace(invalid, rules=("unheard-of",)).wrong()
    assert "any rule" in replace(workloads["observations"], rules=("any rule",)).wrong()


def test_line_is_met_by_its_median(workloads: dict[str, Workload]) -> None:
    line = Line(workloads["bundles"])
    assert line.is_met is None
    run_round(line, 0.01, keep=False)
    assert line.is_met is None
    run_round(line, 0.01, keep=True)
    table = format_table([line, Line(workloads["bundles"], [1.0, 39.0, 90.0], [1.0, 1.0, 1.0])])
    assert "MISSED" in table
    assert line.is_met


def test_costs_count_each_rule_and_leave_verdicts_alone(workloads: dict[str, Workload]) -> None:
    observations = workloads["observations"].items
    costs = Costs()
    with costs.watching():
        judge = judge_write(msma_validator())
        found = measure(costs, judge, observations)
    by_label = {cost.label: cost for cost in found}
    assert by_label["obs-6 (twin)"].calls >= len(observations)
    assert all(cost.nanoseconds >= 0 for cost in found)
    assert [cost.nanoseconds for cost in found] == sorted((cost.nanoseconds for cost in found), reverse=True)
    assert format_costs(found, len(observations), 1.0, 5).count("\n| ") == 5
    assert judge(observations[0]) == []


def test_options_name_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_options(["--only", "bundles"]).only == ["bundles"]
    with pytest.raises(SystemExit):
        parse_options(["--only", "nothing"])
    assert "invalid-bundles" in capsys.readouterr().err
