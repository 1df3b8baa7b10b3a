from collections import Counter

import pytest

from fhir_server.synthetic.draw import Weighted, count_around, stream

COLOURS = Weighted("test", {"red": 6, "green": 3, "blue": 1})


def test_stream_depends_on_its_parts_alone() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    assert stream(1, "a").random() != stream(1, "b").random()


def test_weighted_draws_in_proportion() -> None:
    random = stream("weighted")
    drawn = Counter(COLOURS.draw(random) for _ in range(10_000))
    assert {colour: drawn[colour] / 10_000 for colour in drawn} == {
        colour: pytest.approx(COLOURS.share(colour), abs=0.02) for colour in ("red", "green", "blue")
    }


def test_distinct_draws_never_repeat_nor_take_what_is_excluded() -> None:
    random = stream("distinct")
    for _ in range(50):
        assert sorted(COLOURS.draw_distinct(random, 5, without=("red",))) == ["blue", "green"]


def test_count_around_has_the_given_mean() -> None:
    random = stream("count")
    counts = [count_around(random, 2.25) for _ in range(10_000)]
    assert set(counts) == {2, 3}
    assert sum(counts) / len(counts) == pytest.approx(2.25, abs=0.03)
