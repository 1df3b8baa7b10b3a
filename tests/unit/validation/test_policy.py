"""What findings about profiles count for, by policy; and the file that states one."""

from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.outcome import Issue
from fhir_server.terminology import Terminology
from fhir_server.validation import ValidationOptions, Validator, WritePolicy, read_policy
from fhir_server.validation.invariants import Invariants
from fhir_server.validation.policy import ProfileRule
from fhir_server.validation.profiles import ProfileChecks

A, B, OTHER = "https://a.org/StructureDefinition/a", "https://a.org/StructureDefinition/b", "https://other.org/x"


@pytest.mark.parametrize(
    ("pattern", "canonical", "fits"),
    [
        (A, A, True),
        (A, f"{A}|1.0", True),
        (f"{A}|1.0", f"{A}|1.0", True),
        (f"{A}|1.0", A, False),
        (f"{A}|1.*", f"{A}|1.2", True),
        (A, f"{A}b", False),
        ("https://a.org/*", A, True),
        ("https://a.org/*", OTHER, False),
        ("*", OTHER, True),
        ("*/StructureDefinition/*", A, True),
        ("https://*/StructureDefinition/a", A, True),
        ("https://*/StructureDefinition/a", B, False),
        ("https://a.org/*a.org/*", "https://a.org/", False),
        ("https://a.org/*/StructureDefinition/a", A, False),
        ("https://[a].org/*", A, False),
    ],
)
def test_pattern_fits(pattern: str, canonical: str, fits: bool) -> None:
    assert ProfileRule(pattern, "warn").fits(canonical) == fits


def issue(*profiles: str, rule: str = "slice-min", severity: str = "error") -> Issue:
    return Issue(severity, "value", rule, "english", "french", "Patient", profiles=profiles)


WARN_A = WritePolicy((ProfileRule(A, "warn"), ProfileRule("https://other.org/*", "off")))


@pytest.mark.parametrize(
    ("policy", "sent", "counts"),
    [
        (WritePolicy(), issue(), "error"),
        (WritePolicy(), issue(A), "error"),
        (WritePolicy(default="warn"), issue(A), "warning"),
        (WritePolicy(default="off"), issue(A), None),
        (WritePolicy(default="off"), issue(), "error"),
        (WARN_A, issue(A), "warning"),
        (WARN_A, issue(A, severity="information"), "information"),
        (WARN_A, issue(B), "error"),
        (WARN_A, issue(A, B), "error"),
        (WARN_A, issue(A, OTHER), "warning"),
        (WARN_A, issue(OTHER), None),
        (WARN_A, issue(OTHER, severity="warning"), None),
        (WritePolicy(), issue(A, rule="profile-unknown", severity="warning"), "warning"),
        (WritePolicy(unknown="refuse"), issue(A, rule="profile-unknown", severity="warning"), "error"),
        (WritePolicy(unknown="off"), issue(A, rule="profile-unknown", severity="warning"), None),
        (WARN_A, issue(OTHER, rule="profile-unknown", severity="warning"), None),
        (WritePolicy((ProfileRule(A, None, "off"),)), issue(A, rule="reference-target-type"), None),
        (WritePolicy((ProfileRule(A, None, "off"),)), issue(A, B, rule="reference-target-type"), "error"),
        (WritePolicy((ProfileRule(A, None, "off"),)), issue(A), "error"),
        (WritePolicy((ProfileRule(A, None, "off"), ProfileRule("*", "warn"))), issue(A), "warning"),
    ],
)
def test_finding_counts(policy: WritePolicy, sent: Issue, counts: str | None) -> None:
    assert [each.severity for each in policy.applied([sent])] == ([] if counts is None else [counts])


def registry() -> DefinitionRegistry:
    definitions = DefinitionRegistry()
    for url, least in ((A, "gender"), (B, "name")):
        definitions.add(
            {
                "resourceType": "StructureDefinition",
                "url": url,
                "kind": "resource",
                "type": "Patient",
                "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
                "derivation": "constraint",
                "differential": {"element": [{"id": f"Patient.{least}", "path": f"Patient.{least}", "min": 1}]},
            }
        )
    return definitions


def found(resource: dict[str, Any], policy: WritePolicy | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """Returns (place, profiles that ask) of each finding."""
    definitions = registry()
    options = ValidationOptions(policy=policy or WritePolicy())
    validator = Validator(definitions, Terminology(definitions), options)
    return [(each.expression, each.profiles) for each in validator.validate(resource)]


def test_findings_name_the_profiles_that_ask() -> None:
    both = {"resourceType": "Patient", "meta": {"profile": [A, B]}, "maritalStatus": 1}
    assert found(both) == [("Patient.maritalStatus", ()), ("Patient.gender", (A,)), ("Patient.name", (B,))]
    twice = {"resourceType": "Patient", "meta": {"profile": [A, f"{A}|"]}}
    assert found(twice) == [("Patient.gender", (A, f"{A}|"))]


def test_finding_in_a_bundle_names_the_profile_of_the_entry() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "urn:oid:1.2", "resource": {"resourceType": "Patient", "meta": {"profile": [A]}}}],
    }
    assert found(bundle) == [("Bundle.entry[0].resource.gender", (A,))]


def test_finding_in_an_extension_names_its_definition() -> None:
    definitions = registry()
    url = "https://a.org/StructureDefinition/extension"
    definitions.add(
        {
            "resourceType": "StructureDefinition",
            "url": url,
            "kind": "complex-type",
            "type": "Extension",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
            "derivation": "constraint",
            "context": [{"type": "element", "expression": "Patient"}],
            "differential": {
                "element": [
                    {"id": "Extension.value[x]", "path": "Extension.value[x]", "min": 1, "type": [{"code": "string"}]}
                ]
            },
        }
    )
    sent = {"resourceType": "Patient", "extension": [{"url": url, "valueBoolean": True}]}
    issues = Validator(definitions, Terminology(definitions)).validate(sent)
    assert {each.profiles for each in issues} == {(url,)}
    judged = WritePolicy((ProfileRule("https://a.org/*", "warn"),)).applied(issues)
    assert {each.severity for each in judged} == {"warning"}


def test_canonicals_with_versions_of_their_own_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.validation.profiles.MOST_FOUND", 3)
    definitions = registry()
    checks = ProfileChecks(definitions, Terminology(definitions), Invariants({}))
    for number in range(10):
        assert checks.find(f"{A}|{number}") is not None
    assert checks.kept <= 3


def test_imposed_profile_is_checked_on_what_does_not_claim_it() -> None:
    policy = WritePolicy(imposed={"Patient": A})
    plain = {"resourceType": "Patient"}
    assert found(plain) == []
    assert found(plain, policy) == [("Patient.gender", (A,))]
    assert found(plain | {"gender": "female"}, policy) == []
    assert found(plain | {"meta": {"profile": [B]}}, policy) == [("Patient.name", (B,)), ("Patient.gender", (A,))]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": plain}]}
    assert ("Bundle.entry[0].resource.gender", (A,)) in found(bundle, policy)
    holder = {"resourceType": "Basic", "code": {"text": "x"}, "contained": [plain | {"id": "p"}]}
    assert all(A not in profiles for _, profiles in found(holder, policy))


def test_file_states_the_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        f'default = "warn"\nunknown = "refuse"\n[[profile]]\ncanonical = "{A}"\naction = "off"\n'
        f'[[profile]]\ncanonical = "*"\ntargets = "exist"\n[imposed]\nPatient = "{B}"\n'
    )
    policy = read_policy(file, registry())
    assert (policy.default, policy.unknown, policy.imposed) == ("warn", "refuse", {"Patient": B})
    assert (policy.action(A), policy.action(B), policy.targets(B)) == ("off", "warn", "exist")
    file.write_text("")
    assert read_policy(file, registry()) == WritePolicy()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('default = "reject"', ["default", "'reject'", "refuse, warn, off"]),
        ("standard = 1", ["'standard'", "`unknown`"]),
        ('[[profile]]\ncanonical = "x"', ["profile.0", "`targets` (exist, type, off)"]),
        ('[[profile]]\naction = "warn"', ["profile.0", "'canonical'"]),
        ('[[profile]]\ncanonical = "x"\ntargets = "all"', ["profile.0.targets", "'all'"]),
        ('[imposed]\nPatent = "x"', ["imposed.Patent", "resource type"]),
        ('[imposed]\nPatient = "x"', ["imposed.Patient", A, B]),
        (f'[imposed]\nPerson = "{A}"', ["imposed.Person", "none"]),
        ("= 1", ["policy.toml"]),
    ],
)
def test_file_that_does_not_fit_is_refused_with_what_is_allowed(tmp_path: Path, content: str, words: list[str]) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"policy\.toml") as refused:
        read_policy(file, registry())
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.toml"):
        read_policy(tmp_path / "absent.toml", registry())
