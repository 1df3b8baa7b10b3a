"""One code of a value set. https://hl7.org/fhir/R4/valueset.html#expansion"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fhir_server.terminology.code_systems import CodeSystemProvider, Concept

NO_ROW: Mapping[str, Any] = MappingProxyType({})


class Member:
    """A code of `system` in `version`, both as they count here; two empty texts where they are not known.

    `provider` is the code system, None where that is not known; `row` the code's entry in `include.concept`, empty
    where a filter or a whole system brought it.
    """

    __slots__ = ("_concept", "_is_read", "code", "provider", "row", "system", "version")

    def __init__(
        self,
        system: str,
        version: str,
        code: str,
        provider: CodeSystemProvider | None,
        row: Mapping[str, Any] = NO_ROW,
    ) -> None:
        self.system = system
        self.version = version
        self.code = code
        self.provider = provider
        self.row = row
        self._is_read = False

    @property
    def place(self) -> tuple[str, str, str]:
        """System, version and code: what tells members of one value set apart."""
        return self.system, self.version, self.code

    @property
    def concept(self) -> Concept | None:
        """What the code system says, None where that is not known here; read when first asked for, since most members
        of a long list are only counted.
        """
        if not self._is_read:
            self._concept = self.provider.concept(self.code) if self.provider is not None else None
            self._is_read = True
        return self._concept

    @property
    def display(self) -> str:
        """The value set's own display, or else the code system's; empty without one."""
        return self.row.get("display") or (self.concept.display if self.concept else "")

    @property
    def is_inactive(self) -> bool:
        return self.concept is not None and self.concept.is_inactive

    @property
    def is_abstract(self) -> bool:
        return self.concept is not None and self.concept.is_abstract
