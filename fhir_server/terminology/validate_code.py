"""Whether codes are what they claim to be: in a value set, or in a code system.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html

Membership is asked of the value set's composition, include by include: nothing is listed. A finding of severity error
makes the answer false; all findings come at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fhir_server.outcome import Issue
from fhir_server.terminology import code_findings as findings
from fhir_server.terminology.code_systems import CodeSystemProvider
from fhir_server.terminology.code_systems.content import versioned
from fhir_server.terminology.composition import Composition
from fhir_server.terminology.member import Member
from fhir_server.terminology.displays import Languages, names_of, value_set_languages
from fhir_server.terminology.given_code import CodeRules, GivenCode
from fhir_server.terminology.judged_code import JudgedCode, judge_concept, look_up
from fhir_server.terminology.problems import UnknownValueSet, WrongVersion
from fhir_server.terminology.part import Part
from fhir_server.terminology.scope import Scope
from fhir_server.terminology.sources import Resource
from fhir_server.terminology.versions import version_matches

UNIDENTIFIED = "(unidentified)"
"""How messages call a value set without a URL."""

_WITH_CODES = frozenset({"complete", "fragment"})
_DEPRECATED = "http://hl7.org/fhir/StructureDefinition/valueset-deprecated"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one code or one CodeableConcept.

    `told` is the code that the answer describes: the only one, or the first coding in the value set; None where there is
    none. `issues` are all findings.
    """

    issues: tuple[Issue, ...]
    told: JudgedCode | None
    judged: tuple[JudgedCode, ...] = ()

    @property
    def result(self) -> bool:
        """True where nothing speaks against it."""
        return not any(issue.is_error for issue in self.issues)


def validate_in_value_set(
    scope: Scope, value_set: Resource, codes: Sequence[GivenCode], rules: CodeRules
) -> Verdict:
    """Returns the verdict on `codes`, which are one, or the codings of one CodeableConcept.

    Raises UnknownFilter, CyclicValueSet, and DefinitionsWanted where the scope has to read more.
    """
    try:
        asked = _Asked(scope, value_set, Composition(scope, value_set), rules)
        judged = tuple(asked.judge(code) for code in codes)
    except (UnknownValueSet, WrongVersion) as error:
        return Verdict(error.issues, None if rules.of_concept else JudgedCode(codes[0]))
    issues = [issue for each in judged for issue in each.issues]
    told = next((each for each in judged if each.is_member), None)
    if not rules.of_concept:
        told = judged[0]
    elif told is None and not any(each.caused_by for each in judged):
        issues.insert(0, findings.no_coding_in_value_set(asked.name))
    if told and told.provider:
        issues += findings.definition_status(told.provider.header, "CodeSystem")
    issues += findings.definition_status(value_set, "ValueSet")
    return Verdict(tuple(dict.fromkeys(issues)), told, judged)


def validate_in_code_system(provider: CodeSystemProvider, codes: Sequence[GivenCode], rules: CodeRules) -> Verdict:
    """Returns the verdict on `codes` of one code system: that of one, or of the codings of one CodeableConcept, of which
    those of other systems are left aside where one is of this one.
    """
    of_system = [code for code in codes if code.system in ("", provider.url)]
    if not of_system:
        wrong = codes[0]
        issue = findings.other_system(wrong.system, provider.url, wrong.place("system"))
        return Verdict((issue,), JudgedCode(wrong))
    judged = tuple(JudgedCode(replace(code, system=provider.url), is_member=True) for code in of_system)
    for each in judged:
        if each.given.version and not version_matches(each.given.version, provider.version):
            each.issues.append(findings.other_version(each.given.canonical, provider.version, each.given.place("version")))
        look_up(each, provider, rules)
        judge_concept(each, rules)
    issues = [issue for each in judged for issue in each.issues]
    issues += findings.definition_status(provider.header, "CodeSystem")
    told = next((each for each in judged if each.concept), judged[0])
    return Verdict(tuple(dict.fromkeys(issues)), told, judged)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A value set that codes are asked of."""

    scope: Scope
    value_set: Resource
    composition: Composition
    rules: CodeRules

    @property
    def name(self) -> str:
        return versioned(self.value_set) if "url" in self.value_set else UNIDENTIFIED

    def judge(self, given: GivenCode) -> JudgedCode:
        judged = JudgedCode(given)
        if not given.system and not self._infer_system(judged):
            return judged
        given = judged.given
        provider = self._provider(given, given.version)
        known = provider or (self._provider(given, "") if given.version else None)
        member = self._find(given)
        inactive = None if member else self.composition.find_inactive(given.system, given.code)
        self._describe(judged, member or inactive, known)
        if provider is None and known is not None:
            self._report_unknown_version(judged)
        if inactive is not None:
            judged.issues.append(findings.not_active(given.code, given.place("code")))
        if member is None:
            self._report_absence(judged, is_certain=inactive is not None)
        elif member.is_abstract and not self.rules.allow_abstract:
            judged.issues.append(self._not_in_value_set(given))
        else:
            judged.is_member = True
            self._compare(judged, member, is_known=provider is not None)
        languages = self.rules.languages or value_set_languages(self.value_set)
        judge_concept(judged, replace(self.rules, languages=languages))
        return judged

    def _describe(self, judged: JudgedCode, found: Member | None, provider: CodeSystemProvider | None) -> None:
        """Notes what the code system says of a code, or that it is not here; a value set may name the code all the
        same.
        """
        known = found.provider if found else provider
        row_language = self.value_set.get("language", "")
        if known is not None:
            look_up(judged, known, self.rules, found, row_language)
        elif found is None:
            self._report_unknown_system(judged)
        else:
            place = judged.given.place("system")
            judged.issues.append(findings.unknown_system(judged.given.system, place, severity="warning"))
            judged.names = names_of(None, row=found.row, row_language=row_language)

    def _compare(self, judged: JudgedCode, member: Member, *, is_known: bool) -> None:
        """Finds fault with a version that is not the value set's, and with a code that the value set wants to be rid of.

        `is_known`: the code system is here in the version given.
        """
        given = judged.given
        if given.version and member.version and not version_matches(given.version, member.version):
            is_default = not is_known and not _names_version(self.composition, given.system)
            report = findings.version_mismatch_by_default if is_default else findings.version_mismatch
            judged.issues.append(report(given.system, member.version, given.version, given.place("version")))
        if any(row["url"] == _DEPRECATED and row.get("valueBoolean") for row in member.row.get("extension", ())):
            place = given.place("code")
            judged.issues.append(findings.deprecated_in_value_set(given.code, given.system, self.name, place))

    def _provider(self, given: GivenCode, version: str) -> CodeSystemProvider | None:
        """Returns the code system where it has codes here, or at least this one."""
        provider = self.scope.code_system(given.system, version)
        if provider is None or provider.content in _WITH_CODES or provider.find(given.code) is not None:
            return provider
        return None

    def _find(self, given: GivenCode) -> Member | None:
        """Returns the member, that of the version given where there are several."""
        found = list(self.composition.candidates(given.system, given.code, active_only=self.rules.active_only))
        return next((each for each in found if version_matches(given.version, each.version)), found[0] if found else None)

    def _infer_system(self, judged: JudgedCode) -> bool:
        given = judged.given
        if self.rules.infer_system:
            systems = {each.system for each in self.composition.candidates(None, given.code)}
            if len(systems) == 1:
                judged.given = replace(given, system=systems.pop())
                return True
        judged.issues.append(self._not_in_value_set(given))
        if self.rules.infer_system:
            drawn = list(dict.fromkeys(_systems(self.composition)))
            judged.issues.append(findings.cannot_infer(given.code, self.name, drawn, given.place("code")))
        else:
            judged.issues.append(findings.no_system(given.whole))
        return False

    def _not_in_value_set(self, given: GivenCode) -> Issue:
        place = given.place("code")
        return findings.not_in_value_set(given.written, self.name, place, among_others=self.rules.of_concept)

    def _report_unknown_system(self, judged: JudgedCode) -> None:
        given = judged.given
        place = given.place("system")
        if not findings.is_absolute(given.system):
            judged.issues.append(findings.relative_system(place))
        if self.scope.value_set(given.system) is not None:
            judged.issues.append(findings.system_is_value_set(given.system, place))
            return
        judged.unknown_system = given.system
        if self.rules.membership_only:
            return
        if given.version:
            judged.issues.append(findings.unknown_version(given.system, given.version, (), place))
        else:
            judged.issues.append(findings.unknown_system(given.system, place))

    def _report_unknown_version(self, judged: JudgedCode) -> None:
        """The system is here, not in the version of the code: whether that one has it, nobody can say."""
        given = judged.given
        judged.caused_by = given.canonical
        versions = self.scope.code_system_versions(given.system)
        place = given.place("system")
        judged.issues.append(findings.unknown_version(given.system, given.version, versions, place))

    def _report_absence(self, judged: JudgedCode, *, is_certain: bool) -> None:
        """Says that the value set does not have the code, or why nobody here can say so."""
        given = judged.given
        if is_certain or self.composition.tells(given.system):
            judged.issues.append(self._not_in_value_set(given))
        elif part := _part_not_here(self.composition, given.system):
            self._report_missing_part(judged, part)
        elif _may_be_in_rest(judged):
            judged.is_member = True
        else:
            judged.issues.append(self._not_in_value_set(given))

    def _report_missing_part(self, judged: JudgedCode, part: Part) -> None:
        """The value set draws on a code system that is not here, or not in its version: nobody can say what it has."""
        judged.caused_by = f"{part.system}|{part.version}" if part.version else part.system
        if judged.unknown_system == part.system:
            judged.unknown_system = ""
        versions = self.scope.code_system_versions(part.system)
        place = judged.given.place("system")
        if part.version and versions:
            judged.issues.append(findings.unknown_version(part.system, part.version, versions, place))
        elif not any(issue.is_error for issue in judged.issues):
            judged.issues.append(findings.unknown_system(part.system, place))


def _systems(composition: Composition) -> Iterator[str]:
    for part in composition.includes:
        if part.system:
            yield part.system
        for imported in part.imports:
            yield from _systems(imported)


def _parts(composition: Composition, system: str) -> Iterator[Part]:
    """Yields the includes that draw on a code system, those of imported value sets too."""
    for part in composition.includes:
        if part.system == system:
            yield part
        for imported in part.imports:
            yield from _parts(imported, system)


def _part_not_here(composition: Composition, system: str) -> Part | None:
    """Returns an include by which `system` may have the code after all, since its codes are not here."""
    absent = (
        part
        for part in _parts(composition, system)
        if part.provider is None or part.provider.content not in _WITH_CODES
    )
    return next(absent, None)


def _names_version(composition: Composition, system: str) -> bool:
    return any(part.version for part in _parts(composition, system))


def _may_be_in_rest(judged: JudgedCode) -> bool:
    """True where only a part of the code system is here, without the code."""
    return judged.provider is not None and judged.provider.content == "fragment" and judged.concept is None


