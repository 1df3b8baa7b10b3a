"""The verdicts of the report."""

import pytest

from tests.benchmarks.lines import TARGETS, Line, format_table, to_json
from tests.benchmarks.observations import Template, same_content

BY_NAME = {target.name: target for target in TARGETS}


def line(name: str, *figures: float, errors: list[str] | None = None) -> Line:
    return Line(BY_NAME[name], list(figures), [], errors or [])


@pytest.mark.parametrize(
    ("measured", "met"),
    [
        (line("read", 140, 150, 160), True),
        (line("read", 140, 149, 160), False),
        (line("read", 900, 900, 900, errors=["404"]), False),
        (line("pathway", 3000, 4000, 9000), True),
        (line("pathway", 3000, 3999, 9000), False),
        (line("memory", 120, 299), True),
        (line("memory", 120, 301), False),
        (line("memory"), None),
        (line("bare-read", 100, 100, 100), None),
    ],
    ids=lambda value: f"{value.target.name}-{value.figures}" if isinstance(value, Line) else str(value),
)
def test_verdict(measured: Line, met: bool | None) -> None:
    lines = {"bare-read": line("bare-read", 100, 100, 100), measured.target.name: measured}
    assert measured.is_met(lines) is met


def test_ratio_is_taken_round_by_round() -> None:
    lines = {"bare-read": line("bare-read", 100, 50), "read": line("read", 200, 100)}
    ratio = lines["read"].ratio(lines)
    assert ratio is not None
    assert (ratio.low, ratio.median, ratio.high) == (2, 2, 2)


def test_table_and_file_name_every_line() -> None:
    lines = [line(name, 5.0) for name in BY_NAME]
    assert all(target.text in format_table(lines) for target in TARGETS)
    assert [entry["name"] for entry in to_json(lines)] == list(BY_NAME)


def test_template_gives_each_number_its_own_content_at_the_same_length() -> None:
    observation = {
        "resourceType": "Observation",
        "id": "a",
        "meta": {"versionId": "3", "lastUpdated": "2024-01-01T00:00:00Z", "profile": ["p"]},
        "effectiveDateTime": "2024-05-06",
        "note": [{"text": "100 %"}],
    }
    template = Template.of(observation)
    first, second = template.body(1), template.body(99_999)
    assert len(first) == len(second)
    assert not same_content(first, second)
    assert b'100 %"' in first
    assert b"2024-05-06T03:46:39+01:00" in second
    assert b"versionId" not in first
