"""Bodies read as the JSON that is kept beside resources, without a word about those of which none is kept.

To choose between JSON and document for each resource (`collections.BODY`) costs MongoDB a tenth to a fifth of a query.
Nearly all have their JSON, so that alone is asked for; where one has none, all are asked for once more, and of that
type no longer so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.store.collections import BODY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME, _CHOICE = next(iter(BODY.items()))
_JSON = "json"


class KeptJson:
    """Knows of which types this process has met resources without JSON."""

    def __init__(self) -> None:
        self._without: set[str] = set()

    def projection(self, resource_type: str, asked: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Returns the projection to try in place of one that asks for bodies; None where there is none to try."""
        if asked is None or asked.get(_NAME) != _CHOICE or resource_type in self._without:
            return None
        return {**{name: value for name, value in asked.items() if name != _NAME}, _JSON: 1}

    def has_all(self, resource_type: str, documents: Sequence[dict[str, Any]]) -> bool:
        """Returns True where documents that were read by `projection` have their bodies, as if they had been asked for;
        False where they have to be read as they were asked for.
        """
        try:
            for document in documents:
                document[_NAME] = document.pop(_JSON)
        except KeyError:
            self._without.add(resource_type)
            return False
        return True
