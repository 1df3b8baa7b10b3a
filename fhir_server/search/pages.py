"""Page tokens: where a page begins, signed, so that the server keeps nothing between two pages.

A token carries the last key of the page before and the total, and is bound to the type and parameters of its search:
changed, or used with another search, it is refused.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_server.errors import InvalidContent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.request import SearchRequest

_SIGNATURE_BYTES = 16


def sign(request: SearchRequest, values: Sequence[Any], total: int | None, key: bytes) -> str:
    """Returns the token for the page after `values`, which are texts, instants, Decimals or None."""
    payload = msgspec.json.encode([total, [_tagged(value) for value in values]])
    return urlsafe_b64encode(_signature(request, payload, key) + payload).rstrip(b"=").decode()


def verify(request: SearchRequest, key: bytes) -> tuple[tuple[Any, ...], int | None]:
    """Returns (values, total) of the request's token. Raises InvalidContent if it was not signed for this search."""
    text = request.page
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (Base64Error, UnicodeEncodeError, ValueError):
        raise _forged() from None
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(request, payload, key)):
        raise _forged()
    total, values = msgspec.json.decode(payload)
    return tuple(_untagged(value) for value in values), total


def _signature(request: SearchRequest, payload: bytes, key: bytes) -> bytes:
    search = msgspec.json.encode([request.resource_type, *request.parameters])
    return hmac.digest(key, search + b"\0" + payload, sha256)[:_SIGNATURE_BYTES]


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["d", value.isoformat()]
    if isinstance(value, Decimal):
        return ["n", str(value)]
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return datetime.fromisoformat(value[1]) if value[0] == "d" else Decimal(value[1])
    return value


def _forged() -> InvalidContent:
    return InvalidContent(
        "`_page` is not a token that this server gave for this search; begin again without it.",
        "`_page` n'est pas un jeton donné par ce serveur pour cette recherche ; recommencez sans lui.",
        rule="page-token-invalid",
    )
