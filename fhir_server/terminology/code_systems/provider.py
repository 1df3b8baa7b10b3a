"""What the engine asks of a code system, wherever its codes are: in memory, in a file, or in rules.

https://hl7.org/fhir/R4/terminology-service.html#model
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from fhir_server.terminology.code_systems.concept import Concept
from fhir_server.terminology.code_systems.filters import Filter


class CodeSystemProvider(Protocol):
    """One version of one code system.

    All methods are synchronous, answer from memory or a local file, and take a code as the system writes it, which
    `find` returns. Codes that the system does not have are answered with None or nothing, never with an exception.
    """

    @property
    def url(self) -> str: ...

    @property
    def version(self) -> str:
        """Empty where the system has none."""

    @property
    def name(self) -> str:
        """For computers and people, such as `AdministrativeGender`."""

    @property
    def language(self) -> str:
        """BCP-47 tag of the displays; empty where it is not known."""

    @property
    def content(self) -> str:
        """R4's code: `complete`, `fragment`, `example`, `not-present`. Only a complete one can say that a code is
        wrong.
        """

    @property
    def is_case_sensitive(self) -> bool: ...

    @property
    def can_enumerate(self) -> bool:
        """False where codes are made by rules (UCUM, MIME types), so that nobody can list them all."""

    @property
    def total(self) -> int | None:
        """How many codes there are; None where that is not known or has no sense."""

    @property
    def supplements(self) -> Sequence[str]:
        """Canonicals with versions of the supplements that are merged in."""

    @property
    def header(self) -> Mapping[str, Any]:
        """The CodeSystem without its concepts: what it says of itself (status, extensions, `property`)."""

    def find(self, code: str) -> str | None:
        """Returns the code as the system writes it, None where it has no such code."""

    def concept(self, code: str) -> Concept | None:
        """Returns all that is said of a code."""

    def parents(self, code: str) -> Sequence[str]:
        """Returns the codes directly above, in the order in which the system names them."""

    def children(self, code: str) -> Sequence[str]:
        """Returns the codes directly below, in the order of the system."""

    def ancestors(self, code: str) -> Collection[str]:
        """Returns every code above, without itself."""

    def descendants(self, code: str) -> Collection[str]:
        """Returns every code below, without itself."""

    def subsumes(self, ancestor: str, code: str) -> bool:
        """True where `code` is `ancestor` or below it."""

    def select(self, filters: Sequence[Filter] = (), words: Sequence[str] = ()) -> Iterator[str]:
        """Yields, in the order of the system, the codes that pass every filter and whose code, display or designations
        have a word that begins with each of `words` (folded, see `filters.has_words`).

        Raises UnknownFilter for a filter that it cannot apply. Is not called where `can_enumerate` is false.
        """

    def matcher(self, filters: Sequence[Filter]) -> Callable[[str], bool]:
        """Returns the test whether a code that the system has passes every filter; raises UnknownFilter as `select`
        does. Answers also where `can_enumerate` is false.
        """

    def supplemented(self, supplements: Sequence[Mapping[str, Any]]) -> CodeSystemProvider:
        """Returns this system with what the CodeSystems `supplements` add to its concepts."""
