"""MongoDB expressions over the keys of the index document. https://www.mongodb.com/docs/manual/reference/operator/aggregation/"""

from __future__ import annotations

from typing import Any


def texts_of(code: str, *, target: str | None = None, without: int) -> dict[str, Any]:
    """Returns the expression for the texts of the keys of a reference or uri, or of its references to one type.

    Of each key (`subject=Patient/p1`) the first `without` characters are left out; codes and types are ASCII.
    """
    start = f"{code}={target}/" if target else f"{code}="
    begins = {"$eq": [{"$indexOfBytes": ["$$this", {"$literal": start}, 0, len(start)]}, 0]}
    found = {"$filter": {"input": "$k", "cond": begins}}
    return {"$map": {"input": found, "in": {"$substrBytes": ["$$this", without, -1]}}}


def together(arrays: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the expression for the values of all arrays."""
    return arrays[0] if len(arrays) == 1 else {"$concatArrays": arrays}
