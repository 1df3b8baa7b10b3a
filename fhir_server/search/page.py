"""One page of a search's results, the resources as they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fhir_server.spec.json_format import decode_trusted
from fhir_server.store import json_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_server.outcome import Issue


class Found(NamedTuple):
    """One resource of a page; `json` goes into the answer as it is.

    A tuple, since answers hold hundreds of them and a dataclass that cannot be changed takes twice as long to make.
    """

    resource_type: str
    id_: str
    json: bytes

    def resource(self) -> dict[str, Any]:
        """Returns the resource as JSON values, decoded anew at each call."""
        return decode_trusted(self.json)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of results; `total` None is unknown, `next_page` is the token of the next page, None on the last."""

    matches: tuple[Found, ...] = ()
    included: tuple[Found, ...] = ()
    total: int | None = None
    next_page: str | None = None
    warnings: tuple[Issue, ...] = ()


def found(resource_type: str, document: Mapping[str, Any]) -> Found:
    """Returns the resource of a MongoDB document that was read with `store.BODY`."""
    return Found(resource_type, document["_id"], json_of(document) or b"{}")


def found_in(document: Mapping[str, Any]) -> Found:
    """Returns the resource of a document that `Reader.gather` gave."""
    return Found(document["t"], document["_id"], document["json"])
