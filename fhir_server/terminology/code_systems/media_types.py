"""Media types (MIME) of BCP 13. https://www.rfc-editor.org/rfc/rfc6838#section-4.2, https://hl7.org/fhir/R4/valueset-mimetypes.html

A type of one of the registered families, a subtype, and parameters where there are some: `text/plain; charset=UTF-8`.
Which subtypes are registered is not asked: private ones are valid too.
"""

from __future__ import annotations

import re

from fhir_server.terminology.code_systems.concept import Concept, PropertyValue
from fhir_server.terminology.code_systems.ruled import RuledCodeSystem

SYSTEM = "urn:ietf:bcp:13"
FAMILIES = (
    *("application", "audio", "example", "font", "haptics", "image", "message", "model", "multipart", "text", "video"),
)

_NAME = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_TOKEN = r"[a-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 — a token of the grammar
_TYPE = re.compile(
    rf"({_NAME})/({_NAME})((?: ?; ?{_TOKEN}=(?:{_TOKEN}|\"[^\"\\\x00-\x1f]*\"))*)", re.ASCII | re.IGNORECASE
)
_LONGEST = 255


def code_system() -> RuledCodeSystem:
    """Returns BCP 13 as a code system."""
    header = {"url": SYSTEM, "name": "MimeTypes", "language": "en", "caseSensitive": False}
    return RuledCodeSystem({**header, "property": [{"code": "type", "type": "code"}]}, read)


def read(code: str) -> Concept | None:
    """Returns a media type as a concept; type and subtype in small letters, the display is the code."""
    match = _TYPE.fullmatch(code) if len(code) <= _LONGEST else None
    if match is None or match[1].lower() not in FAMILIES:
        return None
    written = f"{match[1].lower()}/{match[2].lower()}{match[3]}"
    return Concept(written, written, properties={"type": [PropertyValue("valueCode", match[1].lower())]})
