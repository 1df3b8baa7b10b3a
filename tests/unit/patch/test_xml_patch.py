"""XML Patch of resources: what it does, what it leaves alone, and what it tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import FhirError, InvalidContent, InvalidResource, MalformedContent
from fhir_server.patch import apply_xml_patch
from fhir_server.patch.refusals import copied
from fhir_server.spec.json_format import is_same_content

XHTML = "http://www.w3.org/1999/xhtml"
DIV = f'<div xmlns="{XHTML}" class="a"><p>&quot;a&quot;&#160;b</p><br></br></div>'
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "text": {"status": "generated", "div": DIV},
    "extension": [{"url": "http://x", "valueDecimal": Decimal("1.00")}],
    "active": True,
    "name": [{"family": "Abel", "given": ["Ana", "Bo"]}, {"id": "n", "family": "Blum"}],
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}],
}


def diff(*operations: str, namespaces: str = 'xmlns="http://hl7.org/fhir"') -> bytes:
    return f"<diff {namespaces}>{''.join(operations)}</diff>".encode()


APPLIED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "replace a value": (diff('<replace sel="f:Patient/f:active/@value">false</replace>'), {"active": False}),
    "absolute path": (diff('<replace sel="/f:Patient/f:active/@value">false</replace>'), {"active": False}),
    "names without prefix": (diff('<replace sel="Patient/active/@value">false</replace>'), {"active": False}),
    "own prefix": (
        diff(
            '<q:replace sel="q:Patient/q:active/@value">false</q:replace>', namespaces='xmlns:q="http://hl7.org/fhir"'
        ),
        {"active": False},
    ),
    "add at the end": (
        diff('<add sel="f:Patient"><name><family value="C"/></name></add>'),
        {"name": [*PATIENT["name"], {"family": "C"}]},
    ),
    "add before": (
        diff('<add sel="f:Patient/f:name[1]" pos="before"><name><family value="C"/></name></add>'),
        {"name": [{"family": "C"}, *PATIENT["name"]]},
    ),
    "add after": (
        diff('<add sel="*/f:name[1]" pos="after"><name><family value="C"/></name></add>'),
        {"name": [PATIENT["name"][0], {"family": "C"}, PATIENT["name"][1]]},
    ),
    "add in front": (
        diff('<add sel="f:Patient/f:name[last()]" pos="prepend"><use value="old"/></add>'),
        {"name": [PATIENT["name"][0], {"id": "n", "use": "old", "family": "Blum"}]},
    ),
    "add an attribute": (
        diff('<add sel="f:Patient/f:name[1]" type="@id">m</add>'),
        {"name": [{"id": "m", **PATIENT["name"][0]}, PATIENT["name"][1]]},
    ),
    "by the value of a child": (
        diff("<replace sel=\"f:Patient/f:telecom[f:system/@value='email']/f:value/@value\">3</replace>"),
        {"telecom": [PATIENT["telecom"][0], {"system": "email", "value": "3"}]},
    ),
    "by two conditions": (
        diff("<remove sel=\"f:Patient/f:name[@id='n' and f:family]/@id\"/>"),
        {"name": [PATIENT["name"][0], {"family": "Blum"}]},
    ),
    "remove a primitive of a list": (
        diff('<remove sel="f:Patient/f:name[1]/f:given[1]" ws="both"/>'),
        {"name": [{"family": "Abel", "given": ["Bo"]}, PATIENT["name"][1]]},
    ),
    "replace an element": (
        diff('<replace sel="f:Patient/f:active"><active value="false"/></replace>'),
        {"active": False},
    ),
    "replace in the narrative": (
        diff('<replace sel="f:Patient/f:text/h:div/h:p/text()[1]">c</replace>'),
        {"text": {"status": "generated", "div": f'<div xmlns="{XHTML}" class="a"><p>c</p><br/></div>'}},
    ),
    "by the text of an element": (
        diff("<remove sel=\"f:Patient/f:text/h:div/h:p[.='&quot;a&quot;\u00a0b']\"/>"),
        {"text": {"status": "generated", "div": f'<div xmlns="{XHTML}" class="a"><br/></div>'}},
    ),
    "with comments and spaces": (
        diff('\n  <!-- a -->\n  <replace sel="f:Patient/f:active/@value">false</replace>\n'),
        {"active": False},
    ),
}


@pytest.mark.parametrize(("patch", "changes"), APPLIED.values(), ids=APPLIED)
def test_patch_applies(patch: bytes, changes: dict[str, Any]) -> None:
    before = copied(PATIENT)
    assert is_same_content(apply_xml_patch(PATIENT, patch), {**PATIENT, **changes})
    assert before == PATIENT


@pytest.mark.parametrize(
    ("ws", "left"),
    [("", "a  b"), ("before", "a b"), ("after", "a b"), ("both", "ab")],
)
def test_remove_takes_the_space_around(ws: str, left: str) -> None:
    div = f'<div xmlns="{XHTML}"><i>a</i> <br/> <i>b</i></div>'
    resource = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
    attribute = f' ws="{ws}"' if ws else ""
    patched = apply_xml_patch(resource, diff(f'<remove sel="f:Patient/f:text/h:div/h:br"{attribute}/>'))
    assert patched["text"]["div"].replace("<i>", "").replace("</i>", "") == f'<div xmlns="{XHTML}">{left}</div>'


DEEP = "/f:a" * 70
REFUSED: dict[str, tuple[bytes, type[FhirError], str, tuple[str, ...]]] = {
    "not xml": (b"<diff>", MalformedContent, "not XML", ()),
    "document type": (b"<!DOCTYPE a><diff/>", InvalidContent, "<!DOCTYPE", ()),
    "too deep": (b"<a>" * 200, InvalidContent, "deeper than 128", ()),
    "no operations": (diff(), InvalidContent, "holds `add`, `replace` and `remove`", ()),
    "text": (diff('a<remove sel="f:a"/>'), InvalidContent, "holds `add`, `replace` and `remove`", ()),
    "too many": (diff('<remove sel="f:a"/>' * 1001), InvalidContent, "at most 1000", ()),
    "unknown operation": (diff('<move sel="f:a"/>'), InvalidContent, "Operation 1: `move` is none of", ()),
    "no selector": (diff("<remove/>"), InvalidContent, "needs an attribute `sel`", ()),
    "axis": (diff('<remove sel="f:Patient//f:active"/>'), InvalidContent, "cannot be read at `/f:active`", ()),
    "function": (diff('<remove sel="f:Patient/id(1)"/>'), InvalidContent, "cannot be read at `(1)`", ()),
    "strange character": (diff('<remove sel="f:Patient|a"/>'), InvalidContent, "cannot be read at `|a`", ()),
    "unknown prefix": (diff('<remove sel="x:Patient"/>'), InvalidContent, "cannot be read at `x:Patient`", ()),
    "step after an attribute": (diff('<remove sel="f:a/@b/f:c"/>'), InvalidContent, "cannot be read at `/f:c`", ()),
    "cut off": (diff('<remove sel="f:Patient["/>'), InvalidContent, "cannot be read at `f:Patient[`", ()),
    "number compared": (diff('<remove sel="f:Patient[@id=1]"/>'), InvalidContent, "cannot be read at `1]`", ()),
    "no bracket": (diff('<remove sel="f:Patient[1"/>'), InvalidContent, "cannot be read", ()),
    "too many steps": (diff(f'<remove sel="f:Patient{DEEP}"/>'), InvalidContent, "cannot be read", ()),
    "wrong position": (diff('<add sel="f:Patient" pos="x"/>'), InvalidContent, "`pos` must be one of", ()),
    "wrong type": (diff('<add sel="f:Patient" type="x"/>'), InvalidContent, "`type` must be", ()),
    "wrong ws": (diff('<remove sel="f:Patient/f:active" ws="x"/>'), InvalidContent, "`ws` must be one of", ()),
    "replace by two": (
        diff('<replace sel="f:Patient/f:active"><active value="true"/><active value="true"/></replace>'),
        InvalidContent,
        "exactly one node",
        (),
    ),
    "nothing found": (
        diff('<replace sel="f:Patient/f:active/@value">true</replace>', '<remove sel="f:Patient/f:name[3]/f:given"/>'),
        InvalidResource,
        "Operation 2 (`remove f:Patient/f:name[3]/f:given`): the selector finds 0 nodes",
        ("Patient.name[2].given",),
    ),
    "several found": (diff('<remove sel="f:Patient/f:name"/>'), InvalidResource, "finds 2 nodes", ("Patient.name",)),
    "add to an attribute": (
        diff('<add sel="f:Patient/f:active/@value">a</add>'),
        InvalidResource,
        "to an attribute",
        ("Patient.active",),
    ),
    "add to a text": (
        diff('<add sel="f:Patient/f:text/h:div/h:p/text()">a</add>'),
        InvalidResource,
        "only an element",
        ("Patient.text.div.p",),
    ),
    "attribute there": (
        diff('<add sel="f:Patient/f:name[2]" type="@id">a</add>'),
        InvalidResource,
        "there already",
        ("Patient.name[1]",),
    ),
    "remove all": (diff('<remove sel="f:Patient"/>'), InvalidResource, "one root element", ("Patient",)),
    "replace all": (diff('<replace sel="*"><Basic/></replace>'), InvalidResource, "one root element", ()),
    "a second root": (
        diff('<add sel="f:Patient" pos="after"><Basic/></add>'),
        InvalidResource,
        "one root element",
        ("Patient",),
    ),
    "no FHIR left": (
        diff('<add sel="f:Patient/f:name[1]"><foo value="a"/></add>'),
        InvalidResource,
        "The patch leaves no FHIR: `Patient.name[0]` has no element `foo`.",
        ("Patient.name[0].foo",),
    ),
}


@pytest.mark.parametrize(("patch", "error", "says", "places"), REFUSED.values(), ids=REFUSED)
def test_patch_is_refused(patch: bytes, error: type[FhirError], says: str, places: tuple[str, ...]) -> None:
    before = copied(PATIENT)
    with pytest.raises(error) as refusal:
        apply_xml_patch(PATIENT, patch)
    assert says in refusal.value.english
    assert refusal.value.english != refusal.value.french
    assert refusal.value.expression == places
    assert before == PATIENT


def test_attributes_of_other_namespaces_survive_in_the_narrative() -> None:
    div = f'<div xmlns="{XHTML}"><p xml:lang="fr">a</p></div>'
    resource = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
    patch = diff('<add sel="f:Patient/f:text/h:div" xmlns:o="urn:o"><p xmlns="urn:p" o:b="c"/></add>')
    assert apply_xml_patch(resource, patch)["text"]["div"] == (
        f'<div xmlns="{XHTML}"><p xml:lang="fr">a</p><p xmlns="urn:p" b="c"></p></div>'
    )
