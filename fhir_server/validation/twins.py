"""Python twins of FHIRPath constraints that almost every resource meets; a test holds each equal to its expression.

Keys are the exact expressions of R4. A twin may assume the right shapes: where the structure is broken, its own
findings say so and an exception here is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.validation.findings import Context
from fhir_server.validation.invariants import Twin


def _contained(node: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.get("contained", [])
    return found


def no_nested_contained(node: Any, _context: Context) -> bool:
    return "contained" not in node or not any("contained" in one for one in _contained(node))


def contained_is_referenced(node: Any, context: Context) -> bool:
    """dom-3: each contained resource with an id is referred to from the resource, or refers to it."""
    if "contained" not in node:
        return True
    named = set(_local_references(context.resource))
    return all(
        "id" not in one or f"#{one['id']}" in named or "#" in set(_local_references(one)) for one in _contained(node)
    )


def _local_references(node: Any) -> Iterator[str]:
    if type(node) is dict:
        for value in node.values():
            yield from _local_references(value)
    elif type(node) is list:
        for value in node:
            yield from _local_references(value)
    elif type(node) is str and node.startswith("#"):
        yield node


def contained_without_version(node: Any, _context: Context) -> bool:
    return "contained" not in node or not any(
        "versionId" in one.get("meta", ()) or "lastUpdated" in one.get("meta", ()) for one in _contained(node)
    )


def contained_without_labels(node: Any, _context: Context) -> bool:
    return "contained" not in node or not any("security" in one.get("meta", ()) for one in _contained(node))


def code_has_system(node: Any, _context: Context) -> bool:
    return not _has(node, "code") or _has(node, "system")


def no_comparator(node: Any, _context: Context) -> bool:
    return not _has(node, "comparator")


def data_has_type(node: Any, _context: Context) -> bool:
    return not _has(node, "data") or _has(node, "contentType")


def contact_has_system(node: Any, _context: Context) -> bool:
    return not _has(node, "value") or _has(node, "system")


def value_or_reason(node: Any, _context: Context) -> bool:
    """obs-6 of Observation and its components."""
    return not (_has(node, "dataAbsentReason") and _has_value(node))


def components_have_other_codes(node: Any, context: Context) -> bool:
    """obs-7: no component has a code of the Observation itself when that one has a value."""
    if "component" not in node or not _has_value(node):
        return True
    own = context.resource.get("code", {}).get("coding", [])
    return not any(coding in own for part in node["component"] for coding in part.get("code", {}).get("coding", ()))


def identified_or_named(node: Any, _context: Context) -> bool:
    return _has(node, "identifier") or _has(node, "name")


def not_home(node: Any, _context: Context) -> bool:
    return bool(node.get("use") != "home")


def contact_is_reachable(node: Any, _context: Context) -> bool:
    return any(name in node for name in ("name", "telecom", "address", "organization"))


def range_has_content(node: Any, _context: Context) -> bool:
    return "low" in node or "high" in node or _has(node, "text")


def detail_or_reference(node: Any, _context: Context) -> bool:
    return not ("detail" in node and "reference" in node)


def order_detail_has_code(node: Any, _context: Context) -> bool:
    return "orderDetail" not in node or "code" in node


def entry_has_content(node: Any, _context: Context) -> bool:
    return "resource" in node or "request" in node or "response" in node


def full_url_without_version(node: Any, _context: Context) -> bool:
    return "/_history/" not in node.get("fullUrl", "")


def full_urls_are_distinct(node: Any, _context: Context) -> bool:
    """bdl-7: no two entries with the same full URL and version."""
    if node.get("type") == "history":
        return True
    seen = set()
    for entry in _entries(node):
        if _has(entry, "fullUrl"):
            key = (entry.get("fullUrl"), entry.get("resource", {}).get("meta", {}).get("versionId", ""))
            if key in seen:
                return False
            seen.add(key)
    return True


def _entries(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the entries; none where they are no array, which the structure's own finding says."""
    found = node.get("entry")
    return found if type(found) is list else []


def requests_are_where_due(node: Any, context: Context) -> bool:
    """bdl-3; without a type, FHIRPath finds no entry right."""
    if "type" not in context.resource:
        return not _entries(node)
    due = context.resource["type"] in ("batch", "transaction", "history")
    return all(("request" in entry) == due for entry in _entries(node))


def responses_are_where_due(node: Any, context: Context) -> bool:
    if "type" not in context.resource:
        return not _entries(node)
    due = context.resource["type"] in ("batch-response", "transaction-response", "history")
    return all(("response" in entry) == due for entry in _entries(node))


def _has(node: dict[str, Any], name: str) -> bool:
    return name in node or f"_{name}" in node


def _has_value(node: dict[str, Any]) -> bool:
    return any(key.startswith(("value", "_value")) for key in node)


DOM_3 = (
    "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) | "
    "%resource.descendants().as(uri) | %resource.descendants().as(url))) or "
    "descendants().where(reference = '#').exists() or "
    "descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) = '#').exists()).not())"
    ".trace('unmatched', id).empty()"
)

BDL_3 = (
    "entry.all(request.exists() = (%resource.type = 'batch' or %resource.type = 'transaction' or "
    "%resource.type = 'history'))"
)
BDL_4 = (
    "entry.all(response.exists() = (%resource.type = 'batch-response' or %resource.type = 'transaction-response' or "
    "%resource.type = 'history'))"
)

TWINS: Mapping[str, Twin] = {
    "contained.contained.empty()": no_nested_contained,
    DOM_3: contained_is_referenced,
    "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()": contained_without_version,
    "contained.meta.security.empty()": contained_without_labels,
    "code.empty() or system.exists()": code_has_system,
    "comparator.empty()": no_comparator,
    "data.empty() or contentType.exists()": data_has_type,
    "value.empty() or system.exists()": contact_has_system,
    "dataAbsentReason.empty() or value.empty()": value_or_reason,
    "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()": (
        components_have_other_codes
    ),
    "(identifier.count() + name.count()) > 0": identified_or_named,
    "where(use = 'home').empty()": not_home,
    "name.exists() or telecom.exists() or address.exists() or organization.exists()": contact_is_reachable,
    "low.exists() or high.exists() or text.exists()": range_has_content,
    "detail.empty() or reference.empty()": detail_or_reference,
    "orderDetail.empty() or code.exists()": order_detail_has_code,
    "resource.exists() or request.exists() or response.exists()": entry_has_content,
    "(type = 'history') or entry.where(fullUrl.exists()).select(fullUrl&resource.meta.versionId).isDistinct()": (
        full_urls_are_distinct
    ),
    BDL_3: requests_are_where_due,
    BDL_4: responses_are_where_due,
    "fullUrl.contains('/_history/').not()": full_url_without_version,
}
"""Expression to twin."""
