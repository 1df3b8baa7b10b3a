"""One HTTP request as the routes see it: path, query, headers, body, and where the client reached the server."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from fhir_server.errors import MalformedContent, UnsupportedMediaType
from fhir_server.interactions.patch import MERGE_PATCH, PATCH_MEDIA_TYPES, PATCH_TYPES, Patch, fhirpath_patch
from fhir_server.rest.asgi import Receive, Scope
from fhir_server.rest.body import read_body
from fhir_server.rest.formats import JSON, Format
from fhir_server.rest.negotiation import (
    Preferences,
    check_content_type,
    choose_format,
    format_sent,
    names_a_format,
    parse_boolean,
    parse_format,
    patch_type,
    preferences,
)

ACCEPT_PATCH = ", ".join(PATCH_MEDIA_TYPES).encode()
GENERAL = ("_format", "_pretty")
"""Query parameters of every request; taken out before interactions see the query."""
LISTS = {b"accept", b"accept-language", b"if-match", b"if-none-match", b"prefer"}
"""Headers that may come in several lines."""


class Request:
    """Reads an ASGI scope lazily: what a plain read does not need is not computed."""

    __slots__ = (
        "_headers",
        "_receive",
        "_scope",
        "base_url",
        "general",
        "max_body_bytes",
        "method",
        "preferences",
        "query",
        "segments",
    )

    def __init__(self, scope: Scope, receive: Receive, root: str, base_url: str, max_body_bytes: int) -> None:
        self._scope = scope
        self._receive = receive
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        self._headers = dict(pairs)
        if len(self._headers) != len(pairs):
            self._headers |= _joined(pairs)
        self.max_body_bytes = max_body_bytes
        self.method: str = scope["method"]
        path: str = scope["path"][len(root) :]
        self.segments = path.strip("/").split("/") if path.strip("/") else []
        self.base_url = base_url or f"{scope['scheme']}://{self.header(b'host')}{root}"
        self.preferences = Preferences()
        self.query: list[tuple[str, str]] = []
        self.general: dict[str, str] = {}

    def header(self, name: bytes) -> str:
        """Returns a header, empty where it was not sent."""
        value = self._headers.get(name)
        if value is None:
            return ""
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    def negotiate(self, default_language: str) -> None:
        """Fills `preferences` and `query`; raises NotAcceptable or InvalidContent for what cannot be answered."""
        self.preferences = preferences(self.header(b"accept-language"), self.header(b"prefer"), default_language)
        raw = self._scope["query_string"].decode("latin-1")
        general: dict[str, str] = {}
        if raw:
            self.query, general = split_query(raw)
        if "_format" not in general:
            accept = self.header(b"accept")
            # A Binary has content of any type, which is what the client may be asking for.
            is_content = self.segments[:1] == ["Binary"] and not names_a_format(accept)
            wanted = choose_format(accept) if accept and not is_content else None
            format_ = wanted or format_sent(self.header(b"content-type"))
            if format_ is not JSON:
                self.preferences = replace(self.preferences, format=format_)
        self._heed(general)

    def _heed(self, general: dict[str, str]) -> None:
        if "_format" in general:
            self.preferences = replace(self.preferences, format=parse_format(general["_format"]))
        if "_pretty" in general:
            pretty = parse_boolean("_pretty", general["_pretty"])
            self.preferences = replace(self.preferences, pretty=pretty)
        self.general |= general

    async def body(self) -> bytes:
        """Returns the body; raises what `read_body` does."""
        announced = int(self._headers.get(b"content-length", b"0"))
        encoding = self.header(b"content-encoding").strip().lower()
        return await read_body(self._receive, announced, encoding, self.max_body_bytes)

    async def resource(self) -> dict[str, Any]:
        """Returns the resource in the body.

        Raises UnsupportedMediaType, TooLarge, MalformedContent and InvalidContent for what is none.
        """
        format_ = check_content_type(self.header(b"content-type"))
        return self._resource(format_, await self.body())

    async def optional_resource(self) -> dict[str, Any] | None:
        """Returns the resource in the body, None where there is no body; raises what `resource` raises."""
        return self.parsed(await self.body())

    def parsed(self, body: bytes) -> dict[str, Any] | None:
        """Returns the resource in a body that was read before; raises as `optional_resource` does."""
        return self._resource(check_content_type(self.header(b"content-type")), body) if body else None

    @staticmethod
    def _resource(format_: Format, body: bytes) -> dict[str, Any]:
        resource = format_.read(body)
        if not isinstance(resource.get("resourceType"), str):
            raise MalformedContent(
                "The body is not a FHIR resource: it has no `resourceType`.",
                "Le corps n'est pas une ressource FHIR : `resourceType` est absent.",
                rule="resource-type",
            )
        return resource

    async def patch(self) -> Patch:
        """Returns the patch in the body, of whatever kind its media type says.

        What comes as plain JSON and is no resource is a merge patch: clients such as fhirpy send it so. Raises
        UnsupportedMediaType for another type, and what `resource` raises for a body that is none.
        """
        media_type = patch_type(self.header(b"content-type"))
        read = PATCH_TYPES.get(media_type)
        body = await self.body()
        if media_type == "application/json" and "resourceType" not in JSON.read(body):
            read = PATCH_TYPES[MERGE_PATCH]
        if read is not None:
            return read(body)
        return fhirpath_patch(self._resource(check_content_type(self.header(b"content-type")), body))

    async def form(self) -> list[tuple[str, str]]:
        """Returns the parameters of a `POST …/_search`, those of the URL first."""
        content_type = self.header(b"content-type").partition(";")[0].strip().lower()
        if content_type not in ("", "application/x-www-form-urlencoded"):
            raise UnsupportedMediaType(
                f"A search is posted as `application/x-www-form-urlencoded`, not `{content_type}`.",
                f"Une recherche s'envoie en `application/x-www-form-urlencoded`, et non en `{content_type}`.",
                rule="content-type",
            )
        posted, general = split_query((await self.body()).decode("utf-8", "replace"))
        self._heed(general)
        return self.query + posted


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Returns the headers that are lists, their lines joined as RFC 9110 (5.3) allows."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        if name in LISTS:
            lines.setdefault(name, []).append(value)
    return {name: b", ".join(values) for name, values in lines.items()}


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    if "%" in text or "+" in text:
        return parse_qsl(text, keep_blank_values=True)
    # Nothing is encoded, as most clients leave it that ask for plain codes and ids.
    return ((name, value) for name, _, value in (part.partition("=") for part in text.split("&") if part))


def split_query(text: str) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Returns the parameters of a query, and apart from them the general ones."""
    query: list[tuple[str, str]] = []
    general: dict[str, str] = {}
    for name, value in _pairs(text):
        if name in GENERAL:
            general[name] = value
        else:
            query.append((name, value))
    return query, general
