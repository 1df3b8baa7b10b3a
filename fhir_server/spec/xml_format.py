"""FHIR XML in and out: the same JSON dicts as `json_format`, decimals kept digit for digit.

https://hl7.org/fhir/R4/xml.html. Comments and processing instructions are not kept.
"""

from __future__ import annotations

from typing import Any

from fhir_server.spec import xml_reader, xml_writer


def decode_xml(data: bytes) -> dict[str, Any]:
    """Returns the resource in `data`, with the same content as its JSON.

    `<birthDate value="1970-03"/>` becomes `{"birthDate": "1970-03"}`. A value that is none of its type stays text, so
    that validation can tell it with all else. Raises MalformedContent for what is not XML or not a resource,
    InvalidContent, with every finding and its place, for what R4's definitions do not know, and for a document type.
    """
    return xml_reader.Reader(data).read()


def encode_xml(resource: dict[str, Any], *, pretty: bool = False) -> bytes:
    """Returns the resource as an XML document in UTF-8, elements in the order of the definitions.

    `pretty` indents by two spaces, the narrative excepted. Raises InvalidContent, with the place, for content that has
    no form in XML; content that passed validation has one.
    """
    return xml_writer.write(resource, pretty=pretty)
