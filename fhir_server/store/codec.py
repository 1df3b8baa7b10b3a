"""JSON resources to BSON and back, numbers kept digit for digit.

`Decimal` is stored as Decimal128 (34 digits, exponent kept: `1.00` stays `1.00`), integers beyond 64 bits likewise.
Documents are encoded before they join a batch, so that one document that cannot be stored harms nobody else in it.

https://hl7.org/fhir/R4/datatypes.html#decimal
"""

from __future__ import annotations

import struct
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import bson
from bson import Decimal128, Int64
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, TypeCodec, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from fhir_server.errors import InvalidContent, TooLarge
from fhir_server.spec.json_format import encode as encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

Encoded: TypeAlias = bytes | memoryview
"""A BSON document; a view where it is a part of a reply."""

MAX_DIGITS = 34
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
LARGEST_JSON = 1024 * 1024
"""Bytes of JSON that are kept beside a resource; a larger one would bring documents near MongoDB's limit of 16 MiB."""

_EXPONENT_BIAS = 6176
_MAX_EXPONENT = 6111
_INT64 = 1 << 63
_PAIR = struct.Struct("<QQ")
_LENGTH = struct.Struct("<i")


class _DecimalCodec(TypeCodec):
    """Decimal to Decimal128 and back.

    Written out because the driver's own conversion rounds or clamps where this refuses, and costs 7 µs and 10 µs a
    number; the numbers of clinical data repeat, so that most come from a cache here.
    """

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        return _encoded_decimal(str(value))

    def transform_bson(self, value: Decimal128) -> Decimal:
        return _decoded_decimal(value.bid)


@lru_cache(maxsize=8192)
def _encoded_decimal(text: str) -> Decimal128:
    # By its text, not its value: 1.0 and 1.00 are equal, and differ.
    value = Decimal(text)
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or len(digits) > MAX_DIGITS or not -_EXPONENT_BIAS <= exponent <= _MAX_EXPONENT:
        raise _number_refused(value)
    coefficient = int("".join(map(str, digits)))
    high = (sign << 63) | ((exponent + _EXPONENT_BIAS) << 49) | (coefficient >> 64)
    return Decimal128.from_bid(_PAIR.pack(coefficient & 0xFFFFFFFFFFFFFFFF, high))


@lru_cache(maxsize=8192)
def _decoded_decimal(encoded: bytes) -> Decimal:
    low, high = _PAIR.unpack(encoded)
    exponent = ((high >> 49) & 0x3FFF) - _EXPONENT_BIAS
    coefficient = ((high & 0x1FFFFFFFFFFFF) << 64) | low
    return Decimal(f"{'-' if high >> 63 else ''}{coefficient}E{exponent}")


class _LongDecoder(TypeDecoder):
    """64-bit integers as plain `int`: encoders of JSON do not know the driver's subclass of it."""

    bson_type = Int64

    def transform_bson(self, value: Int64) -> int:
        return int(value)


CODEC_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    # Aware in UTC; naming a zone as well would convert each instant once more.
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    type_registry=TypeRegistry([_DecimalCodec(), _LongDecoder()]),
)
RAW_CODEC_OPTIONS: CodecOptions[RawBSONDocument] = CODEC_OPTIONS.with_options(document_class=RawBSONDocument)


def encode(document: Mapping[str, Any]) -> RawBSONDocument:
    """Returns the document as BSON, ready to be sent.

    Raises InvalidContent for a number of more than 34 digits or text that is not Unicode, TooLarge beyond 16 MiB.
    """
    try:
        encoded = bson.encode(document, codec_options=CODEC_OPTIONS)
    except OverflowError:
        encoded = bson.encode(_without_big_integers(document), codec_options=CODEC_OPTIONS)
    except (BSONError, UnicodeError) as error:
        raise InvalidContent(
            f"The resource cannot be stored: {error}.",
            f"La ressource ne peut pas être enregistrée : {error}.",
            rule="storable",
        ) from error
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise TooLarge(
            "A resource, with what is indexed of it, may take 16 MiB at most.",
            "Une ressource, avec ce qui en est indexé, ne peut dépasser 16 Mio.",
            rule="resource-size",
        )
    return RawBSONDocument(encoded, RAW_CODEC_OPTIONS)


def decode(document: Encoded) -> dict[str, Any]:
    """Returns the document as JSON values, with `Decimal` and aware UTC datetimes."""
    return bson.decode(document, CODEC_OPTIONS)


def json_to_keep(resource: Mapping[str, Any]) -> bytes | None:
    """Returns the JSON that is kept beside a resource; None where it is too large, or the resource cannot be stored."""
    try:
        json = encode_json(resource)
    except (OverflowError, ValueError, UnicodeError):  # `encode` says what is wrong, if anything is
        return None
    return json if len(json) <= LARGEST_JSON else None


def json_of(document: Mapping[str, Any]) -> bytes | None:
    """Returns the JSON of the resource in a document that was read with `collections.BODY`, None where it has none."""
    body = document.get("body")
    return body if body is None or type(body) is bytes else encode_json(body)


def with_id(document: Encoded, new_id: Mapping[str, Any], **added: Any) -> RawBSONDocument:
    """Returns an encoded document with another `_id` and fields added behind it, without decoding it.

    Its own `_id` is text and stands first.
    """
    if document[4:9] != b"\x02_id\x00":
        raise ValueError("the document does not begin with an `_id` that is text")
    rest = document[13 + _LENGTH.unpack_from(document, 9)[0] :]
    body = bson.encode({"_id": new_id, **added})[4:-1] + rest
    return RawBSONDocument(_LENGTH.pack(len(body) + 4) + body, RAW_CODEC_OPTIONS)


def text_id(document: Encoded) -> str:
    """Returns the `_id` of an encoded document of which it is the first field, and text."""
    if document[4:9] != b"\x02_id\x00":
        raise ValueError("the document does not begin with an `_id` that is text")
    return str(document[13 : 12 + _LENGTH.unpack_from(document, 9)[0]], "utf-8")


def _without_big_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_big_integers(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_big_integers(item) for item in value]
    if type(value) is int and not -_INT64 <= value < _INT64:
        return Decimal(value)
    return value


def _number_refused(value: Decimal) -> InvalidContent:
    return InvalidContent(
        f"The number `{value:.40E}` cannot be stored: at most {MAX_DIGITS} digits and an exponent within 6,111 are.",
        f"Le nombre `{value:.40E}` ne peut être enregistré : {MAX_DIGITS} chiffres et un exposant de 6 111 au plus.",
        rule="decimal-digits",
    )
