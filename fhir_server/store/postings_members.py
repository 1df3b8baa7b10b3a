"""Pages of a chunk's members: their ids, and by its instant the version of each that was read.

A version that was committed behind a chunk is looked for by that (`postings_build`), also where its resource is a
member by the version before.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fhir_server.store.postings import PAGE, page_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def short_instant(at: datetime) -> int:
    """Returns an instant as four bytes tell it: other instants of the same months never look the same."""
    return (at - _EPOCH) // _MILLISECOND & 0xFFFFFFFF


def page_documents(chunk: int, ids: Sequence[str], instants: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yields the pages of a chunk, of its members' ids and short instants, in the order of their numbers."""
    for first in range(0, len(ids), PAGE):
        inside, read = ids[first : first + PAGE], instants[first : first + PAGE]
        found = {"_id": page_key(chunk, first // PAGE), "c": chunk, "ids": "\n".join(inside)}
        yield {**found, "t": struct.pack(f"<{len(read)}I", *read)}


def versions_in(page: Mapping[str, Any]) -> dict[str, int]:
    """Returns the short instants of the members of a page, by id."""
    ids = page["ids"].split("\n")
    return dict(zip(ids, struct.unpack(f"<{len(ids)}I", page["t"]), strict=True))


def without_members(page: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
    """Returns a page without the members at these places; the others keep theirs."""
    ids = page["ids"].split("\n")
    instants = list(struct.unpack(f"<{len(ids)}I", page["t"]))
    for place in places:
        ids[place], instants[place] = "", 0
    return {**page, "ids": "\n".join(ids), "t": struct.pack(f"<{len(ids)}I", *instants)}
