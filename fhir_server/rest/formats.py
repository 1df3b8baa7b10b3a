"""The formats of a body: FHIR JSON and FHIR XML, and the media types that stand for each.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fhir_server.spec.json_format import RawJson, decode, encode, encode_pretty, unpacked
from fhir_server.spec.xml_format import decode_xml, encode_xml

Content = dict[str, Any] | RawJson
"""A resource, of which parts, or the whole, may be JSON as it is stored."""


@dataclass(frozen=True, slots=True)
class Format:
    """`name` is `json` or `xml`; `content_type` the header of answers; `write` takes a resource and whether to indent.

    `read` returns the resource of a body; it raises MalformedContent and InvalidContent for what is none.
    """

    name: str
    content_type: bytes
    read: Callable[[bytes], dict[str, Any]]
    write: Callable[[Content, bool], bytes]

    def called(self, media_type: str) -> "Format":
        """Returns this format under the generic name that a client asked for."""
        return replace(self, content_type=f"{media_type}; charset=utf-8".encode())


def _write_json(content: Content, pretty: bool) -> bytes:
    return encode_pretty(content) if pretty else encode(content)


def _write_xml(content: Content, pretty: bool) -> bytes:
    return encode_xml(unpacked(content), pretty=pretty)


JSON = Format("json", b"application/fhir+json; charset=utf-8", decode, _write_json)
XML = Format("xml", b"application/fhir+xml; charset=utf-8", decode_xml, _write_xml)

FORMATS = {
    "application/fhir+json": JSON,
    "application/fhir+xml": XML,
    # Those of DSTU2, which R4 encourages servers to take still.
    "application/json+fhir": JSON,
    "application/xml+fhir": XML,
    "json": JSON,
    "xml": XML,
} | {
    media_type: format_.called(media_type)
    for format_, types in (
        (JSON, ("application/json", "text/json")),
        (XML, ("application/xml", "text/xml")),
    )
    for media_type in types
}
"""Format by media type or short name. A client that asks for a generic type is answered under that type."""
PATCH_FORMATS = {
    "application/json-patch+json": JSON,
    "application/xml-patch+xml": XML,
    "application/merge-patch+json": JSON,
}
"""The format in which a client reads answers that sends a patch of this type."""
PAGES = {"text/html", "application/xhtml+xml", "html"}
"""What browsers ask for; they get JSON, which they show."""
ANYTHING = {"*/*", "application/*", "text/*"}
NAMES = "`application/fhir+json` (`json`), `application/fhir+xml` (`xml`)"
