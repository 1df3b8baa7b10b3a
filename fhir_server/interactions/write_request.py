"""One requested write, and what became of it: the same shapes for a single interaction and an entry of a bundle."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from fhir_server.interactions.patch import Patch
from fhir_server.outcome import Issue


class WriteRequest(Struct, frozen=True):
    """A create (`POST`), update (`PUT`), patch (`PATCH`) or delete (`DELETE`).

    The `resource` of a patch is what `patch` makes of the current version, so None until that is known.
    `condition` is the query of a conditional update, patch or delete, `if_none_exist` that of a conditional create;
    `if_match` the versions the client takes, none for any (`*`); `must_be_new` is `If-None-Match: *`.
    `full_url` and `place` (`Bundle.entry[3]`) are those of the entry in a bundle.
    """

    method: str
    resource_type: str
    id_: str | None = None
    resource: dict[str, Any] | None = None
    patch: Patch | None = None
    condition: str | None = None
    if_none_exist: str | None = None
    if_match: tuple[int, ...] | None = None
    must_be_new: bool = False
    full_url: str | None = None
    place: str = ""


class WriteResult(Struct, frozen=True):
    """`status` 200, 201 or 204; `resource` as it stands now (None after a delete); `warnings` of its validation.

    `json` is the resource as JSON where it is written already.
    """

    status: int
    resource_type: str
    id_: str
    version_id: int
    last_updated: datetime | None
    resource: dict[str, Any] | None
    warnings: tuple[Issue, ...] = ()
    json: bytes | None = None
