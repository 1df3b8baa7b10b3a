"""Page tokens: a search and where one of its pages begins, signed, so that the server keeps nothing between two pages.

A token carries the path of the search, all its parameters and the place of the page: it is enough by itself
(`Observation?_page=…`), and other parameters beside it have to be its own. Changed, made by another version of the
server, or used for another search or by another caller, it is refused.
"""

from __future__ import annotations

import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_server.errors import InvalidContent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.request import SearchRequest

VERSION = 2
"""Of the token's form; the first byte of every token."""
_SIGNATURE_BYTES = 16
_MOST_BYTES = 4 * 1024 * 1024
"""Of an unpacked token: what the parameters of the largest body may take, and no more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after the match that stands at `last`, None for the first.

    `total` is the number of all matches where it is known. A page that goes on with the resources included for the
    matches up to `end` begins after the included one with the key (type, id) `included`; `more` tells whether matches
    follow `end`.
    """

    last: tuple[Any, ...] | None = None
    total: int | None = None
    end: tuple[Any, ...] | None = None
    included: tuple[str, str] | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """What a token carries."""

    path: str
    parameters: tuple[tuple[str, str], ...]
    place: Place


def sign(request: SearchRequest, place: Place, key: bytes, caller: str = "") -> str:
    """Returns the token for the page of the request that begins at `place`; only `caller` may use it.

    The values of a place are texts, instants, Decimals or None.
    """
    payload = zlib.compress(
        msgspec.json.encode(
            [
                request.path or request.resource_type,
                request.parameters,
                _tagged(place.last),
                place.total,
                _tagged(place.end),
                place.included,
                place.more,
            ]
        ),
        1,
    )
    head = bytes([VERSION])
    return urlsafe_b64encode(head + _signature(payload, key, caller) + payload).rstrip(b"=").decode()


def open_token(text: str, key: bytes, caller: str = "") -> Token:
    """Returns what a token carries. Raises InvalidContent for one that this server did not give to this caller."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (Base64Error, UnicodeEncodeError, ValueError):
        raise _forged() from None
    if raw[:1] != bytes([VERSION]):
        raise _old()
    signature, payload = raw[1 : 1 + _SIGNATURE_BYTES], raw[1 + _SIGNATURE_BYTES :]
    if not hmac.compare_digest(signature, _signature(payload, key, caller)):
        raise _forged()
    unpacked = zlib.decompressobj().decompress(payload, _MOST_BYTES)
    path, parameters, last, total, end, included, more = msgspec.json.decode(unpacked)
    place = Place(_untagged(last), total, _untagged(end), tuple(included) if included else None, more)
    return Token(path, tuple((name, value) for name, value in parameters), place)


def restored(query: Sequence[tuple[str, str]], path: str, key: bytes) -> list[tuple[str, str]]:
    """Returns the query of a search with the parameters that its page token carries.

    Raises InvalidContent for a token of another path, and for other parameters beside it than its own.
    """
    pages = [value for name, value in query if name == "_page"]
    if not pages:
        return list(query)
    if len(pages) > 1:
        raise _forged()
    token = open_token(pages[0], key)
    beside = [pair for pair in query if pair[0] != "_page"]
    if token.path != path or (beside and not set(beside) >= set(token.parameters)):
        raise _of_another_search()
    # What else stands beside it was ignored when the token was made, by a lenient search; a strict one refuses it.
    return [*(beside or token.parameters), ("_page", pages[0])]


def place_of(request: SearchRequest, key: bytes) -> Place:
    """Returns where the page of a request begins. Raises InvalidContent if its token was not signed for this search."""
    if not request.page:
        return Place()
    token = open_token(request.page, key)
    same = token.path == (request.path or request.resource_type)
    if not same or sorted(token.parameters) != sorted(request.parameters):
        raise _of_another_search()
    return token.place


def _signature(payload: bytes, key: bytes, caller: str) -> bytes:
    return hmac.digest(key, caller.encode() + b"\0" + payload, sha256)[:_SIGNATURE_BYTES]


def _tagged(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else [_tag(value) for value in values]


def _tag(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["d", value.isoformat()]
    if isinstance(value, Decimal):
        return ["n", str(value)]
    return value


def _untagged(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(_untag(value) for value in values)


def _untag(value: Any) -> Any:
    if isinstance(value, list):
        return datetime.fromisoformat(value[1]) if value[0] == "d" else Decimal(value[1])
    return value


def _forged() -> InvalidContent:
    return InvalidContent(
        "`_page` is not a token that this server gave you; begin again without it.",
        "`_page` n'est pas un jeton que ce serveur vous a donné ; recommencez sans lui.",
        rule="page-token-invalid",
    )


def _old() -> InvalidContent:
    return InvalidContent(
        "`_page` is a token of another version of this server, or none; begin again without it.",
        "`_page` est un jeton d'une autre version de ce serveur, ou n'en est pas un ; recommencez sans lui.",
        rule="page-token-version",
    )


def _of_another_search() -> InvalidContent:
    return InvalidContent(
        "`_page` belongs to another search; take the link `next` as it is, or begin again without `_page`.",
        "`_page` appartient à une autre recherche ; suivez le lien `next` tel quel, ou recommencez sans `_page`.",
        rule="page-token-other-search",
    )
