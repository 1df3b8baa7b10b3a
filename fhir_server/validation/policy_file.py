"""The file that an operator writes to say which profiles refuse, warn or are left alone: TOML, guarded by a schema.

```toml
default = "refuse"
unknown = "warn"

[[profile]]
canonical = "https://hl7.fr/ig/fhir/core/StructureDefinition/*"
action = "warn"
targets = "type"

[imposed]
Patient = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient"
```
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from fhir_server.conformance import DefinitionRegistry
from fhir_server.spec.definitions import resource_types
from fhir_server.validation.policy import ACTIONS, TARGETS, ProfileRule, WritePolicy

_CANONICAL = {"type": "string", "minLength": 1}
_ACTION = {"enum": list(ACTIONS)}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "default": _ACTION,
        "unknown": _ACTION,
        "profile": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["canonical"],
                "anyOf": [{"required": ["action"]}, {"required": ["targets"]}],
                "properties": {"canonical": _CANONICAL, "action": _ACTION, "targets": {"enum": list(TARGETS)}},
            },
        },
        "imposed": {"type": "object", "additionalProperties": _CANONICAL},
    },
}


def read_policy(path: Path, definitions: DefinitionRegistry) -> WritePolicy:
    """Returns the policy that a file states.

    Raises ValueError, naming the file, the place in it and what is allowed there, for a file that cannot be read or
    does not fit, and for an imposed profile that is not known or is for another type.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    _check_schema(path, content)
    imposed = content.get("imposed", {})
    for resource_type, canonical in imposed.items():
        _check_imposed(path, resource_type, canonical, definitions)
    rules = tuple(
        ProfileRule(entry["canonical"], entry.get("action"), entry.get("targets"))
        for entry in content.get("profile", ())
    )
    return WritePolicy(rules, content.get("default", "refuse"), content.get("unknown", "warn"), imposed)


def _check_schema(path: Path, content: dict[str, Any]) -> None:
    # Most servers have no such file, and the library is slow to load.
    from jsonschema import Draft202012Validator

    faults = sorted(Draft202012Validator(SCHEMA).iter_errors(content), key=lambda fault: list(map(str, fault.path)))
    if faults:
        told = "; ".join(f"{'.'.join(map(str, fault.path)) or 'file'}: {fault.message}" for fault in faults)
        raise ValueError(
            f"{path}: {told}. Known are `default`, `unknown` ({', '.join(ACTIONS)}), `[[profile]]` with `canonical`, "
            f"`action` ({', '.join(ACTIONS)}), `targets` ({', '.join(TARGETS)}), and `[imposed]`."
        )


def _check_imposed(path: Path, resource_type: str, canonical: str, definitions: DefinitionRegistry) -> None:
    if resource_type not in resource_types():
        raise ValueError(f"{path}: imposed.{resource_type}: this is not a resource type of FHIR R4.")
    found = definitions.find(canonical)
    if found is None or found.get("type") != resource_type:
        known = ", ".join(each["url"] for each in definitions.profiles() if each.get("type") == resource_type)
        raise ValueError(
            f"{path}: imposed.{resource_type}: `{canonical}` is not a profile of `{resource_type}` that is known here. "
            f"Known: {known or 'none'}."
        )
