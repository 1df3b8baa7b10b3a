"""HL7's cases for FHIRPath Patch (as JSON and as XML), JSON Patch and XML Patch, all of them."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from fhir_server.errors import InvalidContent, InvalidResource, MalformedContent
from fhir_server.patch import apply_fhirpath_patch
from fhir_server.patch.documents import Element, Text, parse_document
from fhir_server.patch.json_patch import apply_operations
from fhir_server.patch.xml_patch import patch_document
from fhir_server.spec.json_format import is_same_content
from fhir_server.spec.xml_format import decode_xml
from tests.support.suites import SUITES, suite

FOLDER = SUITES / "patch"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_cases_in_comments = re.compile(r"<!--\s*(?:no need.*?)?<case.*?</case>\s*-->", re.DOTALL)
_space_between_tags = re.compile(r">\s+<")


def read_json(name: str) -> list[dict[str, Any]]:
    path = FOLDER / name
    cases: list[dict[str, Any]] = _DECODER.decode(path.read_bytes()) if path.is_file() else []
    return cases


@cache
def read_xml(name: str) -> list[ElementTree.Element]:
    path = FOLDER / name
    return ElementTree.parse(path).getroot().findall("case") if path.is_file() else []  # noqa: S314


def inner(case: ElementTree.Element, name: str) -> bytes | None:
    """Returns the document inside a part of a case, None where there is none."""
    part = case.find(name)
    return None if part is None or not len(part) else ElementTree.tostring(part[0])


def title(case: Any) -> str:
    if isinstance(case, dict):
        return str(case.get("name") or case["comment"])
    return str(case.get("name"))


def without_layout(resource: dict[str, Any]) -> dict[str, Any]:
    """Returns the resource without spaces between the tags of its narrative, which the suite's two forms lay out
    differently.
    """
    if "text" not in resource:
        return resource
    text = {**resource["text"], "div": _space_between_tags.sub("><", resource["text"]["div"]).replace("\r", "")}
    return {**resource, "text": text}


def test_the_suite_is_whole() -> None:
    suite("patch")
    counts = [
        len(read_json("fhirpath-patch-cases.json")),
        len(read_xml("fhir-patch-tests.xml")),
        len(read_json("json-patch-tests.json")),
        len(read_xml("xml-patch-tests.xml")),
    ]
    assert counts == [33, 33, 16, 29]


@pytest.mark.parametrize("case", read_json("fhirpath-patch-cases.json"), ids=title)
def test_fhirpath_patch(case: dict[str, Any]) -> None:
    before = msgspec.json.encode(case["input"])
    if case["output"] is None:
        with pytest.raises(InvalidResource):
            apply_fhirpath_patch(case["input"], case["patch"])
    else:
        patched = without_layout(apply_fhirpath_patch(case["input"], case["patch"]))
        assert is_same_content(patched, without_layout(case["output"]))
    assert msgspec.json.encode(case["input"]) == before


@pytest.mark.parametrize("case", read_xml("fhir-patch-tests.xml"), ids=title)
def test_fhirpath_patch_in_xml(case: ElementTree.Element) -> None:
    resource, patch = decode_xml(inner(case, "input") or b""), decode_xml(inner(case, "diff") or b"")
    output = inner(case, "output")
    if output is None:
        with pytest.raises(InvalidResource):
            apply_fhirpath_patch(resource, patch)
    else:
        patched = without_layout(apply_fhirpath_patch(resource, patch))
        assert is_same_content(patched, without_layout(decode_xml(output)))


@pytest.mark.parametrize("case", read_json("json-patch-tests.json"), ids=title)
def test_json_patch(case: dict[str, Any]) -> None:
    before = msgspec.json.encode(case["doc"])
    if "error" in case:
        with pytest.raises(InvalidResource):
            apply_operations(case["doc"], case["patch"])
    else:
        assert is_same_content(apply_operations(case["doc"], case["patch"]), case["expected"])
    assert msgspec.json.encode(case["doc"]) == before


def outline(element: Element) -> Any:
    """Returns what an element says: all but the spaces that lay it out and the prefixes it does not name."""
    children = [
        outline(child) if isinstance(child, Element) else (type(child).__name__, child.text.strip())
        for child in element.children
        if not isinstance(child, Text) or child.text.strip()
    ]
    declarations = {prefix: uri for prefix, uri in element.declarations.items() if prefix}
    return element.name, element.attributes, declarations, children


def source(text: str, name: str) -> bytes:
    """Returns the document inside a part of a case as it is written, comments and prefixes included."""
    found = re.search(rf"<{name}(?:\s[^>]*)?>(.*?)</{name}>", text, re.DOTALL)
    return found[1].strip().encode() if found else b""


@pytest.mark.parametrize("index", range(len(read_xml("xml-patch-tests.xml"))))
def test_xml_patch(index: int) -> None:
    text = _cases_in_comments.sub("", (FOLDER / "xml-patch-tests.xml").read_text())
    written = re.findall(r"<case.*?</case>", text, re.DOTALL)[index]
    assert title(read_xml("xml-patch-tests.xml")[index]) in written
    diff = re.search(r"<patch .*?</patch>", written, re.DOTALL)
    target = source(written, "target")
    assert diff is not None
    if "<error" in written:
        with pytest.raises((InvalidContent, InvalidResource, MalformedContent)):
            patch_document(target, diff[0].encode())
    else:
        patched = patch_document(target, diff[0].encode())
        assert outline(parse_document(patched)) == outline(parse_document(source(written, "patched")))
