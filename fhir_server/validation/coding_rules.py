"""Codes and displays against their own code systems. https://hl7.org/fhir/R4/datatypes.html#Coding

A code that a complete code system does not have is wrong wherever it stands; a fragment can only doubt it. UCUM units
of a Quantity are codes like any other. A system that is not here says nothing. A display that is none of the code's
names is a warning, where the system has names in the language of the resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.spec import ucum
from fhir_server.terminology import CodeSystemProvider, Concept, Terminology
from fhir_server.terminology.code_systems.own_rules import OWN_RULES
from fhir_server.validation import binding_messages as messages
from fhir_server.validation.findings import Check, Context, Finding, Findings
from fhir_server.validation.messages import MAX_CHOICES
from fhir_server.validation.quick import with_writer

USED_BY_HL7: Mapping[str, frozenset[str]] = {
    ucum.SYSTEM: frozenset({"TAB", "b", "drop", "ea", "mEq", "mcg", "ml/hr", "month", "tbl"}),
    "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm": frozenset({"Tab", "Vial", "patch", "tab"}),
}
"""Codes that do not exist but HL7's own R4 examples use: a warning, so that those can be stored."""
QUANTITIES = ("Quantity", "Age", "Count", "Distance", "Duration")
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 8192, 400
_MOST_COMPARED = 2000
"""Codes of a system among which near ones are looked for."""


class CodingRules:
    """Checks on values of the types Coding and Quantity."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._sound: set[tuple[Any, Any, Any]] = set()
        """System, code and display that are right whatever the language."""

    def rules(self) -> dict[str, Check]:
        """Returns the checks by type name."""

        def check_code(value: Any, context: Context) -> Findings | None:
            return self.check(value, context)

        check = with_writer(check_code, self._write)
        return dict.fromkeys(("Coding", *QUANTITIES), check)

    def check(self, value: Any, context: Context) -> Findings | None:
        """Checks the code of a Coding or Quantity, and the display of a Coding."""
        system, code, display = value.get("system"), value.get("code"), value.get("display")
        if type(system) is not str or type(code) is not str or not (display is None or type(display) is str):
            return None
        if (system, code, display) in self._sound:
            return None
        provider = self._terminology.code_system(system)
        if provider is not None:
            if _is_of_another_version(value, provider):
                return None
            problem = _unknown_code(code, provider) or _wrong_display(system, code, display, provider)
            if problem is not None:
                is_about_display = problem.steps == [".display"]
                return [problem] if not is_about_display or _has_names_in(_language(context), code, provider) else None
        if len(system) + len(code) + len(display or "") <= _LONGEST_REMEMBERED:
            if len(self._sound) >= _MOST_REMEMBERED:
                self._sound.clear()
            self._sound.add((system, code, display))
        return None

    def _write(self, code: Code, value: str) -> None:
        key = f"({value}.get('system'), {value}.get('code'), {value}.get('display'))"
        doubt = f"{key} not in {code.constant(self._sound)} and {code.constant(self.check)}({value}, c) is not None"
        code.put(f"if 'code' in {value} and {doubt}: return False")


def _is_of_another_version(value: Mapping[str, Any], provider: CodeSystemProvider) -> bool:
    """True where a Coding names a version of its system that is not the one at hand."""
    version = value.get("version")
    return type(version) is str and bool(provider.version) and version != provider.version


def _unknown_code(code: str, provider: CodeSystemProvider) -> Finding | None:
    """Returns the finding about a code that the system does not have; None where the system cannot tell."""
    if provider.content not in ("complete", "fragment") or provider.find(code) is not None:
        return None
    is_doubt = provider.content == "fragment" or code in USED_BY_HL7.get(provider.url, ())
    severity = "warning" if is_doubt else "error"
    return messages.unknown_code(code, provider.url, _near(code, provider), severity).at(".code")


def _wrong_display(system: str, code: str, display: str | None, provider: CodeSystemProvider) -> Finding | None:
    """Returns the finding about a display that is none of the code's names, in whatever language they are."""
    if display is None or system in OWN_RULES or (concept := _concept(code, provider)) is None:
        return None
    names = list(dict.fromkeys(concept.names()))
    if not names or _plain(display) in {_plain(name) for name in names}:
        return None
    return messages.wrong_display(display, f"{system}|{code}", names).at(".display")


def _concept(code: str, provider: CodeSystemProvider) -> Concept | None:
    known = provider.find(code)
    return None if known is None else provider.concept(known)


def _near(code: str, provider: CodeSystemProvider) -> list[str]:
    """Returns codes like `code`; all of a small system; nothing where they cannot be listed."""
    total = provider.total
    if not provider.can_enumerate or total is None or total > _MOST_COMPARED:
        return []
    codes = list(provider.select())
    if total <= MAX_CHOICES:
        return codes
    by_folded = {one.casefold(): one for one in codes}
    near = get_close_matches(code.casefold(), by_folded, n=3, cutoff=0.6)
    return [by_folded[one] for one in near]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _primary(tag: str) -> str:
    return tag.partition("-")[0].lower()


def _language(context: Context) -> str:
    """Returns the primary language of the resource under check, or of what contains it; empty where none is said."""
    for resource in (context.resource, context.root):
        if type(tag := resource.get("language")) is str:
            return _primary(tag)
    return ""


def _has_names_in(language: str, code: str, provider: CodeSystemProvider) -> bool:
    """True where the code has a name in a language; HL7's tables do not say that theirs are English."""
    concept = _concept(code, provider)
    designations = concept.designations if concept is not None else ()
    languages: Iterable[str] = {_primary(provider.language) or "en", *(_primary(one.language) for one in designations)}
    return not language or language in languages
