"""What the store is asked to change, what it answers, and how a change is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

from fhir_server.spec.json_format import decode_trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_server.store.codec import Encoded

Key: TypeAlias = tuple[str, str]
"""Resource type and id."""


@dataclass(frozen=True)  # without slots, so that `resource` can be kept once it is decoded
class StoredVersion:
    """One version of a resource; `json` is the resource as it is sent, None where the version is a deletion.

    `method` is the HTTP verb; `marks` are those of `collections`. `document` is a current version as it is stored,
    undecoded, where it was read to be changed: a change that hands it back saves reading it again.
    """

    resource_type: str
    id_: str
    version_id: int
    last_updated: datetime
    method: str
    json: bytes | None
    marks: Mapping[str, Any] | None = None
    document: Encoded | None = field(default=None, compare=False, repr=False)

    @property
    def has_gaps(self) -> bool:
        """True where versions before it were erased."""
        return self.marks is not None and bool(self.marks.get("gaps"))

    @property
    def is_deletion(self) -> bool:
        """True where the resource was deleted in this version."""
        return self.json is None

    @cached_property
    def resource(self) -> dict[str, Any] | None:
        """The resource as JSON values, decoded when it is first asked for; None for a deletion."""
        return None if self.json is None else decode_trusted(self.json)


class Create(Struct, frozen=True):
    """A resource under an id that the server has just made up; `resource` has its `id` and `meta`, version 1.

    `json` is what `json_to_keep` makes of the resource, None where its maker has not asked.
    For an id that a client chose, which may have been there before, take `Update` with `expected_version` 0.
    """

    resource_type: str
    id_: str
    resource: Mapping[str, Any]
    index: Mapping[str, Any]
    method: str = "POST"
    json: bytes | None = None


class Update(Struct, frozen=True):
    """A new version in place of `expected_version`; `resource` has its new `meta`.

    `expected_version` is the version that is current, be it a deletion; 0 where nothing is current: nothing was ever
    there (the new version is 1), or a deletion that the new version follows. `previous` is the `document` of the
    expected version, None where it is not at hand; `json` is as in Create.
    """

    resource_type: str
    id_: str
    resource: Mapping[str, Any]
    index: Mapping[str, Any]
    expected_version: int
    method: str = "PUT"
    previous: Encoded | None = None
    json: bytes | None = None


class Delete(Struct, frozen=True):
    """A deletion in place of `expected_version`; it is a version of its own, `expected_version` + 1.

    `previous` is as in Update.
    """

    resource_type: str
    id_: str
    expected_version: int
    last_updated: datetime
    previous: Encoded | None = None


Change: TypeAlias = Create | Update | Delete


def instant_of(change: Change) -> datetime:
    """Returns the instant of the version that a change makes."""
    if isinstance(change, Delete):
        return change.last_updated
    return datetime.fromisoformat(change.resource["meta"]["lastUpdated"])


class Claim(Struct, frozen=True):
    """The right of one resource to a key that only one may have; `replaces` is the id that loses it, None where it is
    free.

    One with a `note` is kept for a week only, for who comes again to read it.
    """

    key: str
    resource_type: str
    id_: str
    replaces: str | None = None
    note: Mapping[str, Any] | None = None


ConflictKind: TypeAlias = Literal["exists", "version", "claim"]


class WriteConflict(Exception):
    """A change that was not made because of what is stored; nothing of its commit was.

    `exists`: the id is taken. `version`: another version than the expected one is current. `claim`: another resource
    has the claimed key; `resource_type` and `id_` are then of the resource that claimed it in vain.
    """

    def __init__(self, kind: ConflictKind, resource_type: str, id_: str) -> None:
        super().__init__(f"{kind}: {resource_type}/{id_}")
        self.kind = kind
        self.resource_type = resource_type
        self.id_ = id_
