"""One commit as it waits for its turn: encoded, checked for what needs no database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fhir_server.store.changes import Change, Claim, Create, Delete, Update
from fhir_server.store.codec import encode, json_to_keep

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from bson.raw_bson import RawBSONDocument

_BYTES_PER_WEIGHT = 16 * 1024


class Write(Struct, frozen=True):
    """One change with the document it stores (None for a deletion); `version` is the new version."""

    change: Change
    version: int
    document: RawBSONDocument | None


class Unit(Struct, eq=False):
    """What has to be stored wholly or not at all; `keys` are what no unit beside it may touch."""

    writes: Sequence[Write]
    claims: Sequence[Claim]
    keys: frozenset[Hashable]
    weight: int

    @property
    def is_single_create(self) -> bool:
        """True for what one inserted document does, without a transaction."""
        return len(self.writes) == 1 and not self.claims and type(self.writes[0].change) is Create


def build_unit(changes: Sequence[Change], claims: Sequence[Claim]) -> Unit:
    """Returns the changes encoded.

    Raises InvalidContent and TooLarge as `codec.encode` does, ValueError for two changes of one resource, two claims of
    one key, or a version that does not follow the expected one: faults of the caller.
    """
    writes = [_write(change) for change in changes]
    keys: list[Hashable] = [(change.resource_type, change.id_) for change in changes]
    keys += [claim.key for claim in claims]
    unique = frozenset(keys)
    if len(unique) != len(keys):
        raise ValueError("a commit changes each resource, and claims each key, once at most")
    size = sum(len(write.document.raw) for write in writes if write.document is not None)
    return Unit(writes, claims, unique, max(len(writes), size // _BYTES_PER_WEIGHT))


def build_document(change: Create | Update) -> dict[str, Any]:
    """Returns the document of a current version; its shape is in `collections`."""
    meta: Mapping[str, Any] = change.resource["meta"]
    document = {
        "_id": change.id_,
        "v": int(meta["versionId"]),
        "at": datetime.fromisoformat(meta["lastUpdated"]),
        "m": change.method,
        "resource": change.resource,
        **change.index,
    }
    json = json_to_keep(change.resource) if change.json is None else change.json
    if json is not None:
        document["json"] = json
    return document


def _write(change: Change) -> Write:
    if isinstance(change, Delete):
        return Write(change, change.expected_version + 1, None)
    document = build_document(change)
    version = document["v"]
    expected = 0 if isinstance(change, Create) else change.expected_version or version - 1
    if version != expected + 1:
        raise ValueError(f"version {version} of {change.resource_type}/{change.id_} does not follow {expected}")
    return Write(change, version, encode(document))
