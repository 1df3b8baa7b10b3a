"""A code as a client sends it to be validated, and what is asked of it.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from dataclasses import dataclass

from fhir_server.terminology.displays import Languages


@dataclass(frozen=True, slots=True)
class GivenCode:
    """One code as a client sent it; an absent part is empty.

    `root` is the FHIRPath of the Coding it came in, empty where it came as parameters of its own.
    """

    code: str
    system: str = ""
    version: str = ""
    display: str = ""
    root: str = ""

    def place(self, part: str) -> str:
        """Returns the FHIRPath of one part, such as `system`."""
        return f"{self.root}.{part}" if self.root else part

    @property
    def whole(self) -> str:
        """The FHIRPath of all of it."""
        return self.root or "code"

    @property
    def canonical(self) -> str:
        """The code's system as `system|version`, without the bar where no version was sent."""
        return f"{self.system}|{self.version}" if self.version else self.system

    @property
    def written(self) -> str:
        """The code as messages name it: `system|version#code ('display')`."""
        display = f" ('{self.display}')" if self.display else ""
        return f"{self.canonical}#{self.code}{display}"


@dataclass(frozen=True, slots=True)
class CodeRules:
    """What a request asks of its codes.

    `of_concept`: they are the codings of one CodeableConcept, of which one has to be in the value set.
    `membership_only`: nothing but that is asked.
    """

    languages: Languages = Languages()
    of_concept: bool = False
    active_only: bool = False
    allow_abstract: bool = True
    lenient_display: bool = False
    membership_only: bool = False
    infer_system: bool = False
