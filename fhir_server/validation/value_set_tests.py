"""Whether codes are in a value set: from the list of its codes, or code by code where nobody can list them."""

from __future__ import annotations

from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.terminology import CodeSet, Terminology
from fhir_server.validation import messages

_MOST_ANSWERS, _LONGEST_CODE = 4096, 400
MIME_TYPES = "http://hl7.org/fhir/ValueSet/mimetypes"
FORMATS = frozenset({"json", "ttl", "xml"})
"""Short names of FHIR's formats, which R4 allows beside MIME types. https://hl7.org/fhir/R4/http.html#parameters"""


class ValueSetTest:
    """The value set of one binding. `code_set` is None where it has no list of codes here."""

    def __init__(self, canonical: str, terminology: Terminology) -> None:
        self.canonical = canonical
        self.code_set: CodeSet | None = terminology.codes(canonical)
        self._terminology = terminology
        self._is_mime = split_canonical(canonical)[0] == MIME_TYPES
        self._answers: dict[tuple[str | None, str], bool | None] = {}

    def verdict(self, system: str | None, code: str) -> bool | None:
        """True or false where it is certain whether a code is in the value set, None where nobody here can say.

        Without a system, the code of any system counts: what an element of type `code` holds.
        """
        if self.code_set is not None:
            return self.code_set.contains(system, code)
        if len(system or "") + len(code) > _LONGEST_CODE:
            return self._ask(system, code)
        key = (system, code)
        if key not in self._answers:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = self._ask(system, code)
        return self._answers[key]

    def _ask(self, system: str | None, code: str) -> bool | None:
        """Asks the terminology; of a MIME type without its parameters, which people write in many ways."""
        if self._is_mime:
            code = code.partition(";")[0].rstrip()
            if code in FORMATS:
                return True
        return self._terminology.has_code(self.canonical, system, code)

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
