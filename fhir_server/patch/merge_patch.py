"""JSON Merge Patch of a resource: RFC 7396 over its JSON.

R4 does not name it; clients such as fhirpy change resources by it. What it sets to null is taken away, arrays are
replaced as a whole, the rest is merged.
"""

from __future__ import annotations

from typing import Any

from fhir_server.patch.refusals import check_result, copied, not_a_patch


def apply_merge_patch(resource: dict[str, Any], changes: Any) -> dict[str, Any]:
    """Returns the resource with the changes merged into it; `changes` is the parsed body, `{"active": false}`.

    Raises InvalidContent where it is no object, InvalidResource where what it leaves is no resource of that type.
    """
    if type(changes) is not dict:
        raise not_a_patch("A JSON Merge Patch is an object.", "Un JSON Merge Patch est un objet.")
    return check_result(_merged(resource, changes), resource)


def _merged(target: Any, changes: Any) -> Any:
    if type(changes) is not dict:
        return copied(changes)
    merged = dict(target) if type(target) is dict else {}
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
