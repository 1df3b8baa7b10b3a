"""What extensions must look like, where they may stand, and which ones may change a meaning.

https://hl7.org/fhir/R4/extensibility.html

An extension that is not known here is kept and checked as data, unless the operator chooses otherwise; a modifier
extension that is not known is refused, because whoever does not know it must not process the element. In a Basic it is
a warning: that resource has no meaning of its own that a modifier could turn, and this server does nothing with it but
keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_server.conformance import DefinitionRegistry
from fhir_server.validation import extension_messages as messages
from fhir_server.validation.extension_definitions import ExtensionDefinitions
from fhir_server.validation.extension_places import Holder, HolderCheck
from fhir_server.validation.findings import Check, Context, Findings, all_well, asked_by
from fhir_server.validation.options import ValidationOptions
from fhir_server.validation.quick import with_writer

CORE = "http://hl7.org/fhir/StructureDefinition/"
_SEVERITIES = {"warn": "warning", "refuse": "error"}


class ExtensionRules:
    """Checks on values of the type Extension, and on what holds them."""

    def __init__(
        self, definitions: DefinitionRegistry, profile_check: Callable[[str], Check], options: ValidationOptions
    ) -> None:
        self._known = ExtensionDefinitions(definitions)
        self._profile_check = profile_check
        self._checks: dict[str, Check] = {}
        self._unknown = _SEVERITIES.get(options.unknown_extensions)

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
            if type(url) is not str or self._known.find(url) is None:
                return None
            check = self._checks[url] = self._profile_check(url)
        found = None if check is all_well else check(value, context)
        # What R4's own extensions ask for is R4's; that of others is a matter of the operator's policy, like a profile.
        return found if found is None or value["url"].startswith(CORE) else asked_by(value["url"], found)

    def holder_check(self, path: str, type_code: str) -> Check:
        """Returns the check of an object of `type_code` at the element `path`: may its extensions stand there?

        The object of a primitive's `_name` is of the primitive's type.
        """
        places = HolderCheck(self._known, Holder(path, type_code), self._unknown)

        def check_holder(value: Any, context: Context) -> Findings | None:
            return places.check(value, context)

        return with_writer(check_holder, places.write)
