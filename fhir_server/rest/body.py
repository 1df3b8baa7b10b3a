"""The body of a request, whole and within the limit, be it compressed or not.

https://hl7.org/fhir/R4/http.html#compression
"""

import zlib
from collections.abc import MutableMapping
from typing import Any

from fhir_server.errors import FhirError, MalformedContent, TooLarge, UnsupportedMediaType
from fhir_server.rest.asgi import Receive

_GZIP = 16 + zlib.MAX_WBITS


async def read_body(receive: Receive, announced: int, encoding: str, limit: int) -> bytes:
    """Returns the body; `announced` is its `Content-Length`, `encoding` its `Content-Encoding`, `limit` in bytes.

    Raises TooLarge as soon as it is over the limit, before and after it is unpacked, MalformedContent where it breaks
    off or is not what its encoding says, UnsupportedMediaType for an encoding other than gzip.
    """
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedMediaType(
            f"The body's `Content-Encoding` is `{encoding}`; send it as it is, or with `gzip`.",
            f"Le `Content-Encoding` du corps est `{encoding}` ; envoyez-le tel quel, ou avec `gzip`.",
            rule="content-encoding",
        )
    data = await _read(receive, announced, limit)
    return _unpacked(data, limit) if encoding.endswith("gzip") else data


async def _read(receive: Receive, announced: int, limit: int) -> bytes:
    if announced > limit:
        raise _too_large(limit)
    message = await _next_part(receive)
    data: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(data) > limit:
            raise _too_large(limit)
        return data
    parts, size = [data], len(data)
    while message.get("more_body"):
        message = await _next_part(receive)
        data = message.get("body", b"")
        parts.append(data)
        size += len(data)
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


async def _next_part(receive: Receive) -> MutableMapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        # Nobody reads this answer, but what came so far may look whole and must not be written.
        raise MalformedContent("The body broke off.", "Le corps s'est interrompu.", rule="body-incomplete")
    return message


def _unpacked(data: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise _not_gzip() from None
    if len(unpacked) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise _not_gzip()
    return unpacked


def _not_gzip() -> FhirError:
    return MalformedContent(
        "The body is declared as `gzip`, and is not, or not wholly.",
        "Le corps est annoncé en `gzip`, et ne l'est pas, ou pas entièrement.",
        rule="body-gzip",
    )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit} bytes.", f"Le corps dépasse {limit} octets.", rule="body-size"
    )  # fmt: skip
