"""Whether codes are in a value set: from the list of its codes, or code by code where nobody can list them."""

from __future__ import annotations

from typing import Any

from fhir_server.terminology import CodeSet, Terminology
from fhir_server.validation import messages

_MOST_ANSWERS = 4096


class ValueSetTest:
    """The value set of one binding. `code_set` is None where it has no list of codes here."""

    def __init__(self, canonical: str, terminology: Terminology) -> None:
        self.canonical = canonical
        self.code_set: CodeSet | None = terminology.codes(canonical)
        self._terminology = terminology
        self._answers: dict[tuple[str | None, str], bool | None] = {}

    def verdict(self, system: str | None, code: str) -> bool | None:
        """True or false where it is certain whether a code is in the value set, None where nobody here can say.

        Without a system, the code of any system counts: what an element of type `code` holds.
        """
        if self.code_set is not None:
            return self.code_set.contains(system, code)
        key = (system, code)
        if key not in self._answers:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = self._terminology.has_code(self.canonical, system, code)
        return self._answers[key]

    def is_in(self, system: str | None, code: str) -> bool:
        """True where a code certainly is in the value set."""
        return self.verdict(system, code) is True

    def of_coding(self, coding: Any) -> bool | None:
        """Returns the verdict on the system and code of a Coding or Quantity; false where one of them is missing."""
        system, code = coding.get("system"), coding.get("code")
        if type(code) is not str:
            return False
        return self.verdict(system, code) if type(system) is str else False

    @property
    def choices(self) -> list[str]:
        """Codes to list in a sentence, in their order; empty where there is no list."""
        return list(self.code_set.ordered_codes)[: messages.MAX_CHOICES + 1] if self.code_set is not None else []
