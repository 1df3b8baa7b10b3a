"""What search asks the terminology: the codes of a value set, and the codes above and below one.

https://hl7.org/fhir/R4/search.html#modifiers

The terminology lies above this package; the application hands it in as `Concepts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fhir_server.errors import InvalidContent

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fhir_server.index.parameter import SearchParameter, ValueContext


class Concepts(Protocol):
    """Value sets and code systems, as far as they are known."""

    def members(self, value_set: str) -> Mapping[str, Collection[str]] | None:
        """Returns the codes of a value set, given by canonical or as `ValueSet/id`, by system; None where it is not
        known or cannot be enumerated.
        """

    def related(self, system: str, code: str, *, above: bool) -> Collection[str] | None:
        """Returns `code` and all codes above, or else below it; None where the system's codes or this code are not
        known.
        """


class StoredConcepts(Protocol):
    """The same, with what clients stored; each answer is read anew."""

    async def members(self, value_set: str) -> Mapping[str, Collection[str]] | None:
        """Returns what `Concepts.members` does."""

    async def related(self, system: str, code: str, *, above: bool) -> Collection[str] | None:
        """Returns what `Concepts.related` does."""


def value_set_codes(value_set: str, context: ValueContext) -> Mapping[str, Collection[str]]:
    """Returns the codes of a value set by system. Raises InvalidContent where they are not known here."""
    codes = context.concepts.members(value_set) if context.concepts else None
    if codes is None:
        raise InvalidContent(
            f"The value set `{value_set}` is not known here, or its codes cannot be enumerated: give the canonical of a"
            " value set of this server.",
            f"Le jeu de valeurs `{value_set}` n'est pas connu ici, ou ses codes ne peuvent être énumérés : donnez l'URL"
            " canonique d'un jeu de valeurs de ce serveur.",
            rule="value-set-unknown",
        )
    return codes


def related_codes(
    parameter: SearchParameter, modifier: str, parts: list[str], context: ValueContext
) -> Mapping[str, Collection[str]]:
    """Returns the codes that `:above` or `:below` of `system|code` stand for, by system.

    Raises InvalidContent as `named_code` does, and where the system or the code is not known here.
    """
    system, code = named_code(parameter, modifier, parts)
    codes = context.concepts.related(system, code, above=modifier == "above") if context.concepts else None
    if codes is None:
        raise InvalidContent(
            f"`{code}` of `{system}` is not known here: `:{modifier}` needs the codes of the system.",
            f"`{code}` de `{system}` n'est pas connu ici : `:{modifier}` demande les codes du système.",
            rule="code-unknown",
        )
    return {system: codes}


def named_code(parameter: SearchParameter, modifier: str, parts: list[str]) -> tuple[str, str]:
    """Returns system and code of the value of `:above` or `:below`.

    The system may be left out where the parameter's codes are of one system only; raises InvalidContent for anything
    else.
    """
    if len(parts) == 1 and len(parameter.systems) == 1:
        parts = [*parameter.systems, *parts]
    if len(parts) != 2 or not all(parts):
        written = "|".join(parts)
        raise InvalidContent(
            f"`{parameter.code}:{modifier}={written}` is not `system|code`.",
            f"`{parameter.code}:{modifier}={written}` n'est pas `système|code`.",
            rule="token-hierarchy-invalid",
        )
    return parts[0], parts[1]
