"""What a search parameter's index entries are made from, as a short text that changes whenever they would.

Documents carry the stamp of the rules they were indexed by, and the database knows which fingerprint each parameter was
last built with. Where they differ, the index is built anew (`interactions/index_build.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

FORMATS: Mapping[str, int] = {
    "document": 2,
    "string": 3,
    "token": 3,
    "reference": 1,
    "date": 2,
    "number": 2,
    "quantity": 3,
    "uri": 1,
    "composite": 4,
    "special": 2,
}
"""How entries are written, for each search parameter type, and for all (`document`): raised with every change of what
a writer writes, so that databases of earlier servers are indexed anew."""

INDEX_VERSION = sum(FORMATS.values())
"""Grows with every format: a server does not write to a database that a later one has indexed."""

_LENGTH = 12


def fingerprint(row: Mapping[str, Any], zone: str) -> str:
    """Returns the fingerprint of one search parameter; entries of dates depend on the `zone` of those without one.

    That of a definition which clients can change names the version too: whoever wrote while it was withdrawn wrote
    without its entries, so one that comes back is built anew.
    """
    meta = row.get("meta", {})
    parts = (
        (FORMATS["document"], FORMATS.get(row["type"], 0)),
        *(row["code"], row["type"], row.get("expression"), sorted(row.get("target", ()))),
        [(each["definition"], each["expression"]) for each in row.get("component", ())],
        *(row.get("id", ""), meta.get("versionId", "")),
        zone if row["type"] in ("date", "composite") else "",
    )
    return _digest(parts)


def stamp_of(fingerprints: Mapping[str, str]) -> str:
    """Returns the stamp of the rules of one resource type, given the fingerprint of each parameter by code."""
    return _digest(sorted(fingerprints.items()))


def _digest(parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:_LENGTH]
