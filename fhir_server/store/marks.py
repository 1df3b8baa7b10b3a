"""Marks of a stored version: what it was changed by without becoming another version; see `collections`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import bson
from bson.raw_bson import RawBSONDocument

from fhir_server.store.codec import RAW_CODEC_OPTIONS, decode

if TYPE_CHECKING:
    from fhir_server.store.codec import Encoded

_MARKS = b"\x03marks\x00"
_LENGTH = struct.Struct("<i")


def marks_of(document: Encoded) -> dict[str, Any] | None:
    """Returns the marks of an encoded version, None where it has none."""
    if _MARKS not in bytes(document):  # so for nearly all, which are not decoded for it
        return None
    marks: dict[str, Any] | None = decode(document).get("marks")
    return marks


def has_gaps(document: Encoded) -> bool:
    """True where versions before an encoded version were erased."""
    marks = marks_of(document)
    return marks is not None and bool(marks.get("gaps"))


def replaced(id_: str, version: int, document: Encoded) -> dict[str, Any]:
    """Returns the condition for a current version that is still as it was read: not replaced, and not marked since."""
    return {"_id": id_, "v": version, "marks": marks_of(document)}


def inheriting(document: RawBSONDocument | None, previous: Encoded) -> RawBSONDocument | None:
    """Returns a new version with the marks that it inherits from the one it replaces."""
    return with_gaps(document) if document is not None and has_gaps(previous) else document


def with_gaps(document: RawBSONDocument) -> RawBSONDocument:
    """Returns an encoded version with the mark that versions before it were erased."""
    body = bytes(document.raw[4:-1]) + bson.encode({"marks": {"gaps": True}})[4:]
    return RawBSONDocument(_LENGTH.pack(len(body) + 4) + body, RAW_CODEC_OPTIONS)
