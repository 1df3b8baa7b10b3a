"""HL7's R4 examples as XML: out and in again, equal digit for digit."""

from __future__ import annotations

from fhir_server.spec.json_format import is_same_content
from fhir_server.spec.xml_format import decode_xml, encode_xml
from tests.support.suites import official_examples


def test_every_example_survives_xml() -> None:
    examples = official_examples()
    changed = [
        name for name, resource in examples.items() if not is_same_content(decode_xml(encode_xml(resource)), resource)
    ]
    assert len(examples) == 712
    assert changed == []


def test_every_example_survives_indented_xml() -> None:
    changed = [
        name
        for name, resource in official_examples().items()
        if not is_same_content(decode_xml(encode_xml(resource, pretty=True)), resource)
    ]
    assert changed == []
