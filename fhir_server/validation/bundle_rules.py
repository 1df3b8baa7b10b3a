"""Rules of Bundles that R4 says in words, beside its constraints. https://hl7.org/fhir/R4/bundle.html,
https://hl7.org/fhir/R4/documents.html#content

Full URLs are absolute, those that name an id agree with the resource's, and `urn:` ones are what they say. Every entry
has one where a Bundle holds resources that others may refer to: not in batches and transactions, whose entries may have
no identity yet, nor in their responses. A document holds all that its Composition names.

Two messages and a collection among HL7's own examples have ids that differ from their full URLs: a warning there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fhir_server.spec.primitives import is_oid, is_uri
from fhir_server.validation import reference_messages as messages
from fhir_server.validation.bundles import Resolver, absolute, restful_base
from fhir_server.validation.findings import Context, Finding, Findings

_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WANT_FULL_URLS = frozenset({"document", "message", "history", "searchset", "collection"})
_MAY_DIFFER = frozenset({"message", "collection"})
_IN_DOCUMENT = ("subject", "encounter", "author", "custodian")


def check_bundle(bundle: Any, context: Context) -> Findings | None:
    """Returns what is wrong with the entries of a Bundle as such."""
    entries = bundle.get("entry")
    if type(entries) is not list:
        return None
    found: Findings = []
    kind = str(bundle.get("type"))
    for index, entry in enumerate(entries):
        if type(entry) is dict and (problem := _full_url(entry, kind)) is not None:
            found.append(problem.at(f"[{index}]", ".entry"))
    if kind == "document":
        found += _document(entries, context)
    return found or None


def _full_url(entry: dict[str, Any], kind: str) -> Finding | None:
    full_url, resource = entry.get("fullUrl"), entry.get("resource")
    if type(full_url) is not str:
        return messages.full_url_missing() if _lacks_full_url(entry, kind) else None
    if not is_uri(full_url):
        return None
    if full_url.startswith("urn:"):
        is_right = _is_sound_urn(full_url)
        return None if is_right else messages.full_url_form(full_url).at(".fullUrl")
    if _SCHEME.match(full_url) is None:
        return messages.full_url_form(full_url).at(".fullUrl")
    if type(resource) is not dict or type(resource.get("id")) is not str or not restful_base(full_url):
        return None
    stated = full_url.rsplit("/", 2)[1:]
    if stated == [resource.get("resourceType"), resource["id"]]:
        return None
    severity = "warning" if kind in _MAY_DIFFER else "error"
    named = f"{resource.get('resourceType')}/{resource['id']}"
    return messages.full_url_differs(full_url, named, severity).at(".fullUrl")


def _lacks_full_url(entry: dict[str, Any], kind: str) -> bool:
    """True where a resource has no full URL though others may refer to it; nobody refers to a search's outcome."""
    resource = entry.get("resource")
    if kind not in _WANT_FULL_URLS or type(resource) is not dict or not {"fullUrl", "_fullUrl"}.isdisjoint(entry):
        return False
    return resource.get("resourceType") != "OperationOutcome"


def _is_sound_urn(urn: str) -> bool:
    if urn.startswith("urn:uuid:"):
        return _UUID.fullmatch(urn) is not None
    return is_oid(urn) if urn.startswith("urn:oid:") else True


def _document(entries: list[Any], context: Context) -> Iterator[Finding]:
    """Yields what a document's Composition names and the Bundle does not hold."""
    composition = entries[0].get("resource") if entries and type(entries[0]) is dict else None
    if type(composition) is not dict or composition.get("resourceType") != "Composition":
        return
    full_url = entries[0].get("fullUrl")
    base = restful_base(full_url) if type(full_url) is str else ""
    resolve = Resolver(composition, context.resolve, base)
    for steps, literal in _named(composition):
        if literal[:1] != "#" and resolve(literal) is None and not _is_elsewhere(literal, base):
            yield messages.not_in_document(literal).at(*reversed(steps), ".resource", "[0]", ".entry")


def _is_elsewhere(literal: str, base: str) -> bool:
    """True for an absolute URL: what it names may be read where it is."""
    return absolute(literal, base) == literal and literal.startswith(("http://", "https://"))


def _named(composition: dict[str, Any]) -> Iterator[tuple[list[str], str]]:
    """Yields the references that a document has to follow, with the steps that lead to them."""
    for name in _IN_DOCUMENT:
        yield from _references(composition, name, [])
    for index, attester in enumerate(_objects(composition.get("attester"))):
        yield from _references(attester, "party", [".attester", f"[{index}]"])
    for index, event in enumerate(_objects(composition.get("event"))):
        yield from _references(event, "detail", [".event", f"[{index}]"])
    yield from _sections(composition, [], 0)


def _sections(holder: dict[str, Any], steps: list[str], depth: int) -> Iterator[tuple[list[str], str]]:
    for index, section in enumerate(_objects(holder.get("section"))):
        here = [*steps, ".section", f"[{index}]"]
        yield from _references(section, "entry", here)
        if depth < 16:
            yield from _sections(section, here, depth + 1)


def _references(holder: dict[str, Any], name: str, steps: list[str]) -> Iterator[tuple[list[str], str]]:
    value = holder.get(name)
    if type(value) is dict and type(value.get("reference")) is str:
        yield [*steps, f".{name}"], value["reference"]
    for index, one in enumerate(_objects(value)):
        if type(one.get("reference")) is str:
            yield [*steps, f".{name}", f"[{index}]"], one["reference"]


def _objects(values: Any) -> list[dict[str, Any]]:
    """Returns the objects of an array, in their places; an empty one stands for what is none."""
    return [one if type(one) is dict else {} for one in values] if type(values) is list else []
