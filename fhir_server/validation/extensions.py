"""What extensions must look like, and which ones may change a meaning. https://hl7.org/fhir/R4/extensibility.html

An extension that is not known here is kept and checked as data; a modifier extension that is not known is refused,
because whoever does not know it must not process the element. In a Basic it is a warning: that resource has no
meaning of its own that a modifier could turn, and this server does nothing with it but keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from fhir_server.conformance import DefinitionRegistry
from fhir_server.spec.definitions import structure_definitions
from fhir_server.validation import messages
from fhir_server.validation.findings import Check, Context, Findings, all_well


class ExtensionRules:
    """Checks on values of the type Extension."""

    def __init__(self, definitions: DefinitionRegistry, profile_check: Callable[[str], Check]) -> None:
        self._definitions = definitions
        self._profile_check = profile_check
        self._checks: dict[str, Check] = {}

    @cached_property
    def known(self) -> frozenset[str]:
        """The canonical URLs of every extension that is defined here."""
        rows = [*structure_definitions().values(), *self._definitions.profiles()]
        return frozenset(
            row["url"] for row in rows if row.get("type") == "Extension" and row.get("derivation") == "constraint"
        )

    @staticmethod
    def check_content(value: Any, _context: Context) -> Findings | None:
        """Either a value or extensions (ext-1)."""
        has_value = any(key.startswith(("value", "_value")) for key in value)
        return None if has_value != ("extension" in value) else [messages.extension_content()]

    def check_known(self, value: Any, context: Context) -> Findings | None:
        """Checks an extension against its definition, if that is known."""
        url = value.get("url") if type(value) is dict else None
        check = self._checks.get(url) if type(url) is str else None
        if check is None:
            if type(url) is not str or url not in self.known:
                return None
            check = self._checks[url] = self._profile_check(url)
        return None if check is all_well else check(value, context)

    def check_modifier(self, value: Any, context: Context) -> Findings | None:
        """Refuses a modifier extension whose definition is not known."""
        url = value.get("url") if type(value) is dict else None
        if type(url) is str and url not in self.known:
            severity = "warning" if context.resource.get("resourceType") == "Basic" else "error"
            return [messages.unknown_modifier_extension(url, severity).at(".url")]
        return self.check_known(value, context)
