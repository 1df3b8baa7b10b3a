"""The order of members: heads tell where pages lie, whatever of them is erased; a place before a member is before it
alone.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.spec.dates import EARLIEST
from fhir_server.store import FIRST, place_before, rank_of
from fhir_server.store.postings_order import LAST, Heads, heads_document, heads_of, without_heads

PAGE = 3
DATES = st.sampled_from([EARLIEST, *(datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 4))])
IDS = st.text("aAz0.-", min_size=1, max_size=4)
MEMBERS = st.dictionaries(IDS, DATES, min_size=1, max_size=30)


@given(MEMBERS, st.sets(st.integers(0, 9)))
def test_heads_tell_where_pages_lie(members: dict[str, datetime], erased: set[int]) -> None:
    ranks = sorted(rank_of(date, id_) for id_, date in members.items())
    pages = [ranks[first : first + PAGE] for first in range(0, len(ranks), PAGE)]
    document = heads_document(7, [page[0] for page in pages])
    assert (document["_id"], document["c"]) == ("!7", 7)
    known = heads_of(document)
    assert [known.low(number) for number in range(len(pages))] == [page[0] for page in pages]
    gone = {number for number in erased if number < len(pages)}
    left = without_heads(document, gone)
    assert not {pages[number][0][1] for number in gone} & set(left["first"].split("\n"))
    for told in (known, heads_of(left), Heads()):
        for number, page in enumerate(pages):
            assert all(told.low(number) <= rank < told.high(number) for rank in page)


@given(DATES, IDS, DATES, IDS)
def test_what_comes_after_a_place_before_is_that_member_and_what_follows(
    date: datetime, id_: str, other_date: datetime, other_id: str
) -> None:
    before = rank_of(*place_before(rank_of(date, id_)))
    other = rank_of(other_date, other_id)
    assert (other > before) == (other >= rank_of(date, id_))


def test_newest_come_first_then_by_id() -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    ranks = [FIRST, rank_of(day + timedelta(milliseconds=1), "b"), rank_of(day, "a"), rank_of(day, "b"), LAST]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("date", [EARLIEST, datetime(2026, 1, 1, 12, 30, 0, 123000, tzinfo=UTC)])
def test_dates_come_back_whole(date: datetime) -> None:
    assert place_before(rank_of(date, "b"))[0] == date
