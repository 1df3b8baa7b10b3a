"""FHIR XML in and out, case by case."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import FhirError, InvalidContent, MalformedContent
from fhir_server.spec.json_format import is_same_content
from fhir_server.spec.xml_format import decode_xml, encode_xml

XHTML = "http://www.w3.org/1999/xhtml"


def document(inside: str, type_name: str = "Patient") -> bytes:
    return f'<{type_name} xmlns="http://hl7.org/fhir">{inside}</{type_name}>'.encode()


def narrative(div: str) -> str:
    return f'<text><status value="generated"/>{div}</text>'


BOTH_WAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "string": ("Patient", '<birthDate value="1970-03"/>', {"birthDate": "1970-03"}),
    "boolean": ("Patient", '<active value="false"/>', {"active": False}),
    "integer": ("Patient", '<multipleBirthInteger value="2"/>', {"multipleBirthInteger": 2}),
    "decimal with zeros": (
        "Observation",
        '<valueQuantity><value value="1.00"/></valueQuantity>',
        {"valueQuantity": {"value": Decimal("1.00")}},
    ),
    "decimal without point": (
        "Observation",
        '<valueQuantity><value value="12"/></valueQuantity>',
        {"valueQuantity": {"value": 12}},
    ),
    "decimal with exponent": (
        "Observation",
        '<valueQuantity><value value="1E+2"/></valueQuantity>',
        {"valueQuantity": {"value": Decimal("1E+2")}},
    ),
    "one of a list": ("Patient", '<name><given value="Ana"/></name>', {"name": [{"given": ["Ana"]}]}),
    "several of a list": (
        "Patient",
        '<name><given value="Ana"/><given value="Bo"/></name>',
        {"name": [{"given": ["Ana", "Bo"]}]},
    ),
    "element id": ("Patient", '<name id="n1"><family value="X"/></name>', {"name": [{"id": "n1", "family": "X"}]}),
    "id of a primitive": (
        "Patient",
        '<birthDate value="1970" id="b"/>',
        {"birthDate": "1970", "_birthDate": {"id": "b"}},
    ),
    "extension of a primitive": (
        "Patient",
        '<birthDate value="1970"><extension url="http://x"><valueCode value="c"/></extension></birthDate>',
        {"birthDate": "1970", "_birthDate": {"extension": [{"url": "http://x", "valueCode": "c"}]}},
    ),
    "extension without value": (
        "Patient",
        '<birthDate><extension url="http://x"><valueBoolean value="true"/></extension></birthDate>',
        {"_birthDate": {"extension": [{"url": "http://x", "valueBoolean": True}]}},
    ),
    "extension on the second of a list": (
        "Patient",
        '<name><given value="Ana"/><given value="Bo" id="g"/><given value="Cy"/></name>',
        {"name": [{"given": ["Ana", "Bo", "Cy"], "_given": [None, {"id": "g"}, None]}]},
    ),
    "no value in the middle of a list": (
        "Patient",
        '<name><given value="Ana"/><given id="g"/><given value="Cy"/></name>',
        {"name": [{"given": ["Ana", None, "Cy"], "_given": [None, {"id": "g"}, None]}]},
    ),
    "no value at the start of a list": (
        "Patient",
        '<name><given id="g"/><given value="Bo"/></name>',
        {"name": [{"given": [None, "Bo"], "_given": [{"id": "g"}, None]}]},
    ),
    "no values in a list": (
        "Patient",
        '<name><given id="g"/><given id="h"/></name>',
        {"name": [{"_given": [{"id": "g"}, {"id": "h"}]}]},
    ),
    "resource id and meta": (
        "Patient",
        '<id value="p1"/><meta><versionId value="3"/></meta>',
        {"id": "p1", "meta": {"versionId": "3"}},
    ),
    "contained": (
        "Patient",
        '<contained><Organization><id value="o"/></Organization></contained>'
        '<contained><Practitioner><id value="q"/></Practitioner></contained>',
        {"contained": [{"resourceType": "Organization", "id": "o"}, {"resourceType": "Practitioner", "id": "q"}]},
    ),
    "bundle entry": (
        "Bundle",
        '<type value="collection"/><entry><resource><Patient><active value="true"/></Patient></resource></entry>',
        {"type": "collection", "entry": [{"resource": {"resourceType": "Patient", "active": True}}]},
    ),
    "part that refers to another": (
        "Parameters",
        '<parameter><name value="a"/><part><name value="b"/><valueString value="c"/></part></parameter>',
        {"parameter": [{"name": "a", "part": [{"name": "b", "valueString": "c"}]}]},
    ),
    "narrative": (
        "Patient",
        narrative(f'<div xmlns="{XHTML}"><p class="a">x &lt; <b>y</b><br/></p><!-- z --></div>'),
        {
            "text": {
                "status": "generated",
                "div": f'<div xmlns="{XHTML}"><p class="a">x &lt; <b>y</b><br/></p><!-- z --></div>',
            }
        },
    ),
    "empty narrative": (
        "Patient",
        narrative(f'<div xmlns="{XHTML}"/>'),
        {"text": {"status": "generated", "div": f'<div xmlns="{XHTML}"/>'}},
    ),
    "nested div": (
        "Patient",
        narrative(f'<div xmlns="{XHTML}"><div>é</div></div >'),
        {"text": {"status": "generated", "div": f'<div xmlns="{XHTML}"><div>é</div></div >'}},
    ),
    "marks and line breaks": (
        "Patient",
        '<name><text value="a&amp;b &lt;&quot;&gt;&#10;&#9;é"/></name>',
        {"name": [{"text": 'a&b <">\n\té'}]},
    ),
}


@pytest.mark.parametrize(("type_name", "xml", "content"), BOTH_WAYS.values(), ids=BOTH_WAYS)
def test_xml_and_json_say_the_same(type_name: str, xml: str, content: dict[str, Any]) -> None:
    resource = {"resourceType": type_name, **content}
    assert is_same_content(decode_xml(document(xml, type_name)), resource)
    written = encode_xml(resource)
    assert written == b'<?xml version="1.0" encoding="UTF-8"?>' + document(xml, type_name)


ONLY_IN: dict[str, tuple[bytes, dict[str, Any]]] = {
    "prefix": (b'<f:Patient xmlns:f="http://hl7.org/fhir"><f:active value="true"/></f:Patient>', {"active": True}),
    "prefix in the narrative": (
        f'<Patient xmlns="http://hl7.org/fhir" xmlns:h="{XHTML}"><text><status value="empty"/>'
        '<h:div><h:p title="&lt;q&quot;">a &amp; b</h:p></h:div></text></Patient>'.encode(),
        {"text": {"status": "empty", "div": f'<div xmlns="{XHTML}"><p title=\'&lt;q"\'>a &amp; b</p></div>'}},
    ),
    "narrative in the namespace around it": (
        f'<f:Patient xmlns:f="http://hl7.org/fhir" xmlns="{XHTML}"><f:text><div><p xml:lang="fr">a</p></div></f:text>'
        "</f:Patient>".encode(),
        {"text": {"div": f'<div xmlns="{XHTML}"><p xml:lang="fr">a</p></div>'}},
    ),
    "comments and instructions": (
        b'<?xml version="1.0"?><!-- a --><?b c?><Patient xmlns="http://hl7.org/fhir"><!-- d --><active value="true"/>'
        b"</Patient><!-- e -->",
        {"active": True},
    ),
    "byte order mark": (b"\xef\xbb\xbf" + document('<active value="true"/>'), {"active": True}),
    "schema location": (
        b'<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="http://hl7.org/fhir fhir-all.xsd"><active value="true"/></Patient>',
        {"active": True},
    ),
    "schema type of a value": (
        b'<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        b'<active xsi:type="boolean" value="true"/></Patient>',
        {"active": True},
    ),
    "any order": (
        document('<birthDate value="1970"/><name><family value="A"/></name><active value="true"/><name/>'),
        {"active": True, "birthDate": "1970", "name": [{"family": "A"}, {}]},
    ),
    "spaces between elements": (document('\n  <active value="true"/>\n'), {"active": True}),
    "a boolean that is none": (document('<active value="yes"/>'), {"active": "yes"}),
    "an integer that is none": (document('<multipleBirthInteger value="1.0"/>'), {"multipleBirthInteger": "1.0"}),
}


@pytest.mark.parametrize(("data", "content"), ONLY_IN.values(), ids=ONLY_IN)
def test_decode_takes_other_spellings(data: bytes, content: dict[str, Any]) -> None:
    assert is_same_content(decode_xml(data), {"resourceType": "Patient", **content})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1,5", "", " 1", "0x1", "1" * 5000])
def test_decimal_that_is_none_stays_text(text: str) -> None:
    xml = document(f'<valueQuantity><value value="{text}"/></valueQuantity>', "Observation")
    value = decode_xml(xml)["valueQuantity"]["value"]
    assert value == text if len(text) < 5000 else value == Decimal(text)


def deep(levels: int) -> str:
    return '<extension url="u">' * levels + "</extension>" * levels


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Patient xmlns="http://hl7.org/fhir">&b;</Patient>'
REFUSED: dict[str, tuple[bytes, type[FhirError], str, tuple[str, ...]]] = {
    "not xml": (b"{}", MalformedContent, "xml", ()),
    "nothing": (b"", MalformedContent, "xml", ()),
    "cut off": (document("")[:-4], MalformedContent, "xml", ()),
    "latin-1": ("<Patient xmlns='http://hl7.org/fhir'>é</Patient>".encode("latin-1"), MalformedContent, "xml", ()),
    "utf-16": (document("").decode().encode("utf-16"), MalformedContent, "xml", ()),
    "unknown entity": (document('<language value="&nbsp;"/>'), MalformedContent, "xml", ()),
    "document type": (b"<!DOCTYPE Patient>" + document(""), InvalidContent, "xml-doctype", ()),
    "entity bomb": (BOMB, InvalidContent, "xml-doctype", ()),
    "external entity": (
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + document('<language value="&a;"/>'),
        InvalidContent,
        "xml-doctype",
        (),
    ),
    "too deep": (document(deep(40)), InvalidContent, "xml-depth", ()),
    "no namespace": (b"<Patient/>", MalformedContent, "xml-namespace", ()),
    "other namespace": (b'<Patient xmlns="urn:x"/>', MalformedContent, "xml-namespace", ()),
    "not a resource": (document("", "HumanName"), MalformedContent, "xml-resource-type", ()),
    "unknown element": (
        document('<name><given value="a"/></name><name><givn value="A"/></name>'),
        InvalidContent,
        "xml-element",
        ("Patient.name[1].givn",),
    ),
    "two unknown elements": (
        document('<foo><bar/></foo><contact><name value="x"/><baz>a</baz></contact>'),
        InvalidContent,
        "xml-element",
        ("Patient.foo", "Patient.contact[0].name", "Patient.contact[0].baz"),
    ),
    "element of another namespace": (
        document('<x:name xmlns:x="urn:x"/>'),
        InvalidContent,
        "xml-element",
        ("Patient.name",),
    ),
    "xhtml elsewhere": (document(f'<div xmlns="{XHTML}"/>'), InvalidContent, "xml-element", ("Patient.div",)),
    "unknown attribute": (
        document('<active value="true" unit="x"/>'),
        InvalidContent,
        "xml-attribute",
        ("Patient.active",),
    ),
    "attribute of a resource": (
        b'<Patient xmlns="http://hl7.org/fhir" id="a"/>',
        InvalidContent,
        "xml-attribute",
        ("Patient",),
    ),
    "attribute of a wrapper": (
        document('<contained id="a"><Basic/></contained>'),
        InvalidContent,
        "xml-attribute",
        ("Patient.contained[0]",),
    ),
    "text": (document("<name>Ana</name>"), InvalidContent, "xml-text", ("Patient.name[0]",)),
    "text in a value": (document('<active value="true">x</active>'), InvalidContent, "xml-text", ("Patient.active",)),
    "text of a list": (
        document('<name><given value="a"/><given value="b">x</given></name>'),
        InvalidContent,
        "xml-text",
        ("Patient.name[0].given[1]",),
    ),
    "twice": (document('<active value="true"/><active value="true"/>'), InvalidContent, "xml-repeated", ("Patient",)),
    "twice, once without value": (
        document('<active id="a"/><active id="b"/>'),
        InvalidContent,
        "xml-repeated",
        ("Patient.active",),
    ),
    "two narratives": (
        document(f'<text><div xmlns="{XHTML}"/><div xmlns="{XHTML}"/></text>'),
        InvalidContent,
        "xml-repeated",
        ("Patient.text.div",),
    ),
    "no value": (document("<active/>"), InvalidContent, "xml-empty", ("Patient.active",)),
    "empty wrapper": (document("<contained/>"), InvalidContent, "xml-empty", ("Patient.contained[0]",)),
    "two resources in a wrapper": (
        document("<contained><Basic/><Patient/></contained>"),
        InvalidContent,
        "xml-repeated",
        ("Patient.contained[0]",),
    ),
    "choice type": (
        document("<extension url='u'><valueString value='a'>b</valueString></extension>"),
        InvalidContent,
        "xml-text",
        ("Patient.extension[0].value",),
    ),
}


@pytest.mark.parametrize(("data", "error", "rule", "places"), REFUSED.values(), ids=REFUSED)
def test_decode_refuses(data: bytes, error: type[FhirError], rule: str, places: tuple[str, ...]) -> None:
    with pytest.raises(error) as refusal:
        decode_xml(data)
    assert (refusal.value.rule, refusal.value.expression) == (rule, places)
    assert refusal.value.english != refusal.value.french


def test_decode_takes_what_is_just_not_too_deep() -> None:
    assert decode_xml(document(deep(31)))["extension"]


def test_decode_lists_at_most_a_hundred_faults() -> None:
    with pytest.raises(InvalidContent) as refusal:
        decode_xml(document("<foo/>" * 300))
    assert len(refusal.value.issues) == 100


def test_a_foreign_namespace_in_the_narrative_stays() -> None:
    namespaces = f'xmlns="http://hl7.org/fhir" xmlns:h="{XHTML}" xmlns:s="urn:s"'
    xml = f"<Patient {namespaces}><text><h:div><s:a/></h:div></text></Patient>"
    assert decode_xml(xml.encode())["text"]["div"] == f'<div xmlns="{XHTML}"><a xmlns="urn:s"></a></div>'


def test_encode_orders_as_the_definitions_do() -> None:
    shuffled = {"birthDate": "1970", "_active": {"id": "a"}, "name": [{"given": ["A"], "family": "B"}], "active": True}
    written = encode_xml({**shuffled, "resourceType": "Patient"}).decode()
    assert written.endswith(
        '<active value="true" id="a"/><name><family value="B"/><given value="A"/></name>'
        '<birthDate value="1970"/></Patient>'
    )


def test_encode_pretty_indents_all_but_the_narrative() -> None:
    div = f'<div xmlns="{XHTML}"><p>a</p></div>'
    resource = {"resourceType": "Patient", "text": {"status": "empty", "div": div}, "name": [{"family": "B"}]}
    assert encode_xml(resource, pretty=True).decode().splitlines() == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Patient xmlns="http://hl7.org/fhir">',
        "  <text>",
        '    <status value="empty"/>',
        f"    {div}",
        "  </text>",
        "  <name>",
        '    <family value="B"/>',
        "  </name>",
        "</Patient>",
    ]


def test_encode_writes_entities_of_html_as_characters() -> None:
    resource = {"resourceType": "Patient", "text": {"div": f'<div xmlns="{XHTML}">a&nbsp;&amp;&eacute;</div>'}}
    assert b">a&#160;&amp;&#233;</div>" in encode_xml(resource)


UNWRITABLE: dict[str, tuple[dict[str, Any], str]] = {
    "no type": ({}, ""),
    "unknown type": ({"resourceType": "Foo"}, "Foo"),
    "unknown name": ({"resourceType": "Patient", "name": [{}, {"foo": 1}]}, "Patient.name[1]"),
    "no object": ({"resourceType": "Patient", "name": ["Ana"]}, "Patient.name[0]"),
    "no array": ({"resourceType": "Patient", "name": {"family": "A"}}, "Patient.name"),
    "object as a value": ({"resourceType": "Patient", "name": [{"given": ["a", {}]}]}, "Patient.name[0].given[1]"),
    "not a resource inside": ({"resourceType": "Patient", "contained": [{"id": "a"}]}, "Patient.contained[0]"),
    "narrative that breaks out": (
        {"resourceType": "Patient", "text": {"div": f'<div xmlns="{XHTML}"></div></text><active value="true"/><text>'}},
        "Patient.text.div",
    ),
    "narrative with document type": (
        {"resourceType": "Patient", "text": {"div": f'<!DOCTYPE div><div xmlns="{XHTML}"/>'}},
        "Patient.text.div",
    ),
    "narrative of another namespace": (
        {"resourceType": "Patient", "text": {"div": "<div>a</div>"}},
        "Patient.text.div",
    ),
    "narrative that is none": ({"resourceType": "Patient", "text": {"div": 1}}, "Patient.text.div"),
    "unknown entity": (
        {"resourceType": "Patient", "text": {"div": f'<div xmlns="{XHTML}">&foo;</div>'}},
        "Patient.text.div",
    ),
    "control character": ({"resourceType": "Patient", "language": "a\x01"}, "Patient"),
    "half a character": ({"resourceType": "Patient", "language": "a\ud800"}, "Patient"),
}


@pytest.mark.parametrize(("resource", "place"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_encode_refuses(resource: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidContent) as refusal:
        encode_xml(resource)
    assert (refusal.value.rule, refusal.value.expression) == ("xml-content", (place,))


def test_nulls_are_left_out() -> None:
    assert b"active" not in encode_xml({"resourceType": "Patient", "active": None})


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n\r"), min_size=1))
def test_every_text_survives(text: str) -> None:
    resource = {"resourceType": "Patient", "name": [{"text": text, "given": [text, text]}]}
    assert decode_xml(encode_xml(resource)) == resource


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_decimal_survives(number: Decimal) -> None:
    value: int | Decimal = number if any(mark in str(number) for mark in ".E") else int(number)
    resource = {"resourceType": "Observation", "valueQuantity": {"value": value}}
    assert is_same_content(decode_xml(encode_xml(resource)), resource)
