"""References to resources: relative, absolute, versioned, contained, and references by UUID.

https://hl7.org/fhir/R4/references.html#literal

Logical references (`Reference.identifier`) are not text and not treated here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.errors import InvalidContent
from fhir_server.spec.definitions import resource_types

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


@dataclass(frozen=True, slots=True)
class Reference:
    """One parsed reference; exactly one of four shapes.

    | text                              | fields set                                     |
    |-----------------------------------|------------------------------------------------|
    | `Patient/1`, `<base>/Patient/1/…` | `resource_type`, `id_`, perhaps `version_id`   |
    | `http://elsewhere/fhir/Patient/1` | `url`; `resource_type` and `id_` if it has them |
    | `urn:uuid:…`, `urn:oid:…`         | `urn`                                          |
    | `#gp`, `#`                        | `fragment`                                     |
    """

    resource_type: str | None = None
    id_: str | None = None
    version_id: str | None = None
    url: str | None = None
    fragment: str | None = None
    urn: str | None = None

    @property
    def is_local(self) -> bool:
        """True where the target lives, or would live, on this server."""
        return self.id_ is not None and self.url is None

    def __str__(self) -> str:
        if self.url is not None:
            return self.url
        if self.urn is not None:
            return self.urn
        if self.fragment is not None:
            return f"#{self.fragment}"
        version = f"/_history/{self.version_id}" if self.version_id else ""
        return f"{self.resource_type}/{self.id_}{version}"


def parse_reference(text: str, base_urls: Sequence[str] = ()) -> Reference:
    """Returns the parts of a literal reference.

    `base_urls` are this server's own, without a slash at the end: absolute references below them count as
    relative ones. Raises InvalidContent if `text` is none of the four shapes of Reference.
    """
    match = _LOCAL.fullmatch(text)
    if match is not None and match[1] in resource_types():
        return Reference(match[1], match[2], match[3])
    if text.startswith("#"):
        return Reference(fragment=text[1:])
    if text.startswith("urn:"):
        return Reference(urn=text)
    for base in base_urls:
        if text.startswith(f"{base}/"):
            match = _LOCAL.fullmatch(text, len(base) + 1)
            if match is not None and match[1] in resource_types():
                return Reference(match[1], match[2], match[3])
    if _SCHEME.match(text) is None or any(character.isspace() for character in text):
        raise InvalidContent(
            f"`{text}` is not a reference: `Type/id`, an absolute URL, `urn:…` or `#id` is expected.",
            f"`{text}` n'est pas une référence : `Type/id`, une URL absolue, `urn:…` ou `#id` est attendu.",
            rule="reference-invalid",
        )
    return _foreign(text)


def _foreign(url: str) -> Reference:
    parts = url.split("/")
    for at in (-4, -2):
        match = _LOCAL.fullmatch("/".join(parts[at:]))
        if match is not None and match[1] in resource_types():
            return Reference(match[1], match[2], match[3], url=url)
    return Reference(url=url)
