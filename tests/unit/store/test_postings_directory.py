"""Directories of chunks: every member is found by its id, and leaves when it is erased."""

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.store.postings_directory import directory_document, directory_of, short_id, without_numbers

ALIKE = ("plumless", "buckeroo")
"""Ids of which CRC-32 is the same."""

ids = st.lists(st.text(alphabet="ab1-.", min_size=1, max_size=4), unique=True, max_size=60)


def test_ids_that_share_their_short_ids_lead_to_both_members() -> None:
    assert short_id(ALIKE[0]) == short_id(ALIKE[1])
    directory = directory_of(directory_document(1, ["a", *ALIKE]))
    assert directory.members({short_id(ALIKE[0])}) == 0b110


@given(known=ids, sought=ids, gone=st.integers(0, 2**60))
def test_members_are_found_by_their_ids_one_by_one_and_together(known: list[str], sought: list[str], gone: int) -> None:
    document = directory_document(7, known)
    short_ids = {short_id(each) for each in sought}
    expected = sum(1 << number for number, each in enumerate(known) if short_id(each) in short_ids)
    directory = directory_of(document)
    assert directory.members(short_ids) == expected
    found = 0
    for each in short_ids:
        found |= directory.members({each})
    assert found == expected
    left = directory_of(without_numbers(document, gone))
    assert left.members(short_ids) == expected & ~gone
