"""Value sets and hierarchies for searches, those of clients among them.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fhir_server.interactions.stored_definitions import StoredDefinitions
from fhir_server.terminology import Composition, Scope, StoredSource, Terminology
from fhir_server.terminology.sources import Resource
from fhir_server.terminology.value_sets import list_codes


class StoredConcepts:
    """What `index.StoredConcepts` asks for: each answer holds what the store has now."""

    def __init__(self, definitions: StoredDefinitions, terminology: Terminology) -> None:
        self._definitions = definitions
        self._terminology = terminology

    async def members(self, value_set: str) -> Mapping[str, Collection[str]] | None:
        """Returns the codes of a value set by system, given by canonical or as `ValueSet/id`; None where it is not
        known, or cannot be enumerated.
        """
        kind, slash, id_ = value_set.partition("/")
        named = await self._definitions.read_value_set(id_) if slash and kind == "ValueSet" else None

        def work(stored: StoredSource) -> Mapping[str, Collection[str]] | None:
            scope = self._scope(stored)
            found: Resource | None = named or scope.value_set(value_set)
            if found is None:
                return self._terminology.members(value_set)
            composition = Composition(scope, found)
            # What is only the server's is known already.
            if named is None and stored.is_empty:
                return self._terminology.members(value_set)
            return list_codes(composition)

        return await self._definitions.supply(work)

    async def related(self, system: str, code: str, *, above: bool) -> Collection[str] | None:
        """Returns `code` and all codes above, or else below it; None where the system or the code is not known."""

        def work(stored: StoredSource) -> Collection[str] | None:
            provider = self._scope(stored).code_system(system)
            known = provider.find(code) if provider else None
            if provider is None or known is None:
                return None
            return {known, *(provider.ancestors(known) if above else provider.descendants(known))}

        return await self._definitions.supply(work)

    def _scope(self, stored: StoredSource) -> Scope:
        return Scope([stored, *self._terminology.sources], any_version=True)
