"""What a code system says of a code, and what speaks against the code there: status, kind, display.

https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fhir_server.outcome import Issue
from fhir_server.terminology import code_findings as findings
from fhir_server.terminology.code_systems import CodeSystemProvider, Concept
from fhir_server.terminology.member import Member
from fhir_server.terminology.display_check import check_display
from fhir_server.terminology.displays import Name, best_name, names_of
from fhir_server.terminology.given_code import CodeRules, GivenCode


@dataclass(slots=True)
class JudgedCode:
    """What was found about one code: `display` is the name to show, `version` that of the code system it was found in.

    `unknown_system` is the canonical of its code system where that is not here, `caused_by` of one that the value set
    draws on and that is not here.
    """

    given: GivenCode
    issues: list[Issue] = field(default_factory=list)
    provider: CodeSystemProvider | None = None
    concept: Concept | None = None
    names: Sequence[Name] = ()
    display: str = ""
    is_member: bool = False
    unknown_system: str = ""
    caused_by: str = ""

    @property
    def version(self) -> str:
        return self.provider.version if self.provider else ""


def look_up(
    judged: JudgedCode,
    provider: CodeSystemProvider,
    rules: CodeRules,
    member: Member | None = None,
    row_language: str = "",
) -> None:
    """Notes what the code system says of the code, and finds fault where it is complete and says nothing."""
    given = judged.given
    judged.provider = provider
    code = provider.find(given.code)
    judged.concept = provider.concept(code) if code is not None else None
    judged.names = names_of(judged.concept, provider.language, member.row if member else None, row_language)
    if rules.membership_only:
        return
    place = given.place("code")
    if code is None:
        report = findings.unknown_code if provider.content == "complete" else findings.unknown_code_in_fragment
        judged.issues.append(report(given.code, provider.url, provider.version, place))
    elif code != given.code:
        canonical = f"{provider.url}|{provider.version}" if provider.version else provider.url
        judged.issues.append(findings.other_case(given.code, code, canonical, place))


def judge_concept(judged: JudgedCode, rules: CodeRules) -> None:
    """Judges display, status and kind of a code, and chooses the name to show."""
    given, concept = judged.given, judged.concept
    judged.display = best_name(judged.names, rules.languages)
    if rules.membership_only:
        return
    judged.issues.extend(_concept_findings(given, concept, rules) if concept else ())
    if given.display and (concept is not None or judged.names):
        code, severity = f"{given.system}#{given.code}", "warning" if rules.lenient_display else "error"
        place = given.place("display")
        issue = check_display(given.display, code, judged.names, rules.languages, place, severity=severity)
        judged.issues.extend([issue] if issue else ())


def _concept_findings(given: GivenCode, concept: Concept, rules: CodeRules) -> Iterator[Issue]:
    if concept.is_abstract and not rules.allow_abstract:
        yield findings.abstract_code(f"{given.system}#{given.code}", given.place("code"))
    if concept.is_inactive:
        yield findings.inactive_code(given.code, concept.status, given.whole, is_cause=rules.active_only)
    elif concept.status == "deprecated":
        yield findings.deprecated_code(given.code, given.whole)
