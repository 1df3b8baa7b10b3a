"""French identifiers by their system: form, key, and the severity of what is found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.conformance import DefinitionRegistry
from fhir_server.outcome import Issue
from fhir_server.terminology import Terminology
from fhir_server.validation import ValidationOptions, Validator
from fhir_server.validation.identifiers.systems import RULES

NIR, NIA = "urn:oid:1.2.250.1.213.1.4.8", "urn:oid:1.2.250.1.213.1.4.9"
TEST, DEMO = "urn:oid:1.2.250.1.213.1.4.10", "urn:oid:1.2.250.1.213.1.4.11"
BILLING = "urn:oid:1.2.250.1.213.1.4.13"
RPPS, IDNPS, ADELI = "https://rpps.esante.gouv.fr", "urn:oid:1.2.250.1.71.4.2.1", "https://adeli.esante.gouv.fr"
FINESS, SIRENE = "https://finess.esante.gouv.fr", "https://sirene.fr"
STRUCTURE = "urn:oid:1.2.250.1.71.4.2.2"
STAY = "https://identifiant-medicosocial-sejour.esante.gouv.fr"
PROJECT = "https://identifiant-medicosocial-projetpersonnalise.esante.gouv.fr"
EVENT = "https://identifiant-medicosocial-evenement.esante.gouv.fr"
PERSON = "https://identifiant-medicosocial-localusager.esante.gouv.fr"
CS203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
ADVICE = "binding-extensible"
"""R4's own types of identifiers are not FR Core's, which these resources use without claiming its profiles."""


@pytest.fixture(scope="module")
def validators() -> dict[str, Validator]:
    """A validator for each mode."""
    registry = DefinitionRegistry()
    codes = Terminology(registry)
    return {
        mode: Validator(registry, codes, ValidationOptions(identifiers=mode)) for mode in ("off", "warn", "production")
    }


def typed(code: str) -> dict[str, Any]:
    return {"coding": [{"system": CS203, "code": code}]}


def organization(system: str, value: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Organization", "identifier": [{"system": system, "value": value, **more}]}


@pytest.mark.parametrize(
    ("system", "value"),
    [
        (NIR, "255081416802538"),
        (NIR, "295109912611193"),
        (NIR, "253072B07300470"),
        (NIR, "253072A07300443"),
        (NIR, "260058815400233"),
        (NIA, "260058815400233"),
        (TEST, "260058815400233"),
        (BILLING, "255081416802538"),
        (RPPS, "10005173140"),
        (RPPS, "99700218896"),
        (RPPS, "1011848351"),
        (IDNPS, "899700218896"),
        (IDNPS, "3580008803/123"),
        (FINESS, "350005179"),
        (FINESS, "580008803"),
        (FINESS, "770816478"),
        (FINESS, "2A0000014"),
        ("http://finess.sante.gouv.fr", "350005179"),
        (SIRENE, "263500076"),
        (SIRENE, "732829320"),
        (SIRENE, "73282932000074"),
        (SIRENE, "35600000009075"),
        (SIRENE, "35600000000048"),
        (STRUCTURE, "1580008803"),
        (STRUCTURE, "1770816478"),
        (STRUCTURE, "2264403106"),
        (STRUCTURE, "373282932000074"),
        (STRUCTURE, "410005531586003"),
        (STAY, "3480787529/147720425367411-SEJOUR-1012"),
        (PROJECT, "3480787529/123456-PPER-12"),
        (EVENT, "3480787529/147720425367411-EVN-12548"),
        (PERSON, "3480787529/123456789"),
        ("urn:other", "255081416802539"),
    ],
)
def test_sound_values(validators: dict[str, Validator], system: str, value: str) -> None:
    assert validators["warn"].validate(organization(system, value)) == []


@pytest.mark.parametrize(
    ("system", "value", "rule", "says"),
    [
        (NIR, "255081416802539", "identifier-nir-key", "`38`"),
        (NIR, "295109912611199", "identifier-nir-key", "`93`"),
        (NIR, "123456789012244", "identifier-nir-key", "must be `12`, not `44`"),
        (NIA, "123456789012244", "identifier-nir-key", "`12`"),
        (DEMO, "123456789012244", "identifier-nir-key", "`12`"),
        (BILLING, "255081416802539", "identifier-nir-key", "`38`"),
        (NIR, "253072A07300470", "identifier-nir-key", "`43`"),
        (NIR, "2 55 08 14 168 025 38", "identifier-nir-form", "15 characters without spaces"),
        (NIR, "2550814168025", "identifier-nir-form", "15 characters"),
        (NIR, "555081416802538", "identifier-nir-form", "1, 2, 3, 4, 7, 8"),
        (NIR, "255131416802538", "identifier-nir-form", "month"),
        (NIR, "255082C16802538", "identifier-nir-form", "`2A`"),
        (NIR, "255081416802538\n", "identifier-nir-form", ""),
        (NIR, "٢55081416802538", "identifier-nir-form", ""),
        (RPPS, "10003461033", "identifier-rpps-key", "RPPS"),
        (RPPS, "10101201234", "identifier-rpps-key", "not `4`"),
        (RPPS, "100051731", "identifier-rpps-form", "11 digits"),
        (RPPS, "1000517314A", "identifier-rpps-form", "11 digits"),
        (IDNPS, "810003461033", "identifier-idnps-key", ""),
        (IDNPS, "81000346103", "identifier-idnps-form", "11 digits"),
        (IDNPS, "910003461033", "identifier-idnps-form", "`8` and an RPPS number"),
        (IDNPS, "8", "identifier-idnps-form", ""),
        (IDNPS, "3", "identifier-idnps-form", ""),
        (ADELI, "12", "identifier-adeli-form", "9 characters"),
        (FINESS, "350005178", "identifier-finess-key", "must be `9`"),
        (FINESS, "2A0000015", "identifier-finess-key", "must be `4`"),
        (FINESS, "2C0000014", "identifier-finess-form", "`2A`"),
        (FINESS, "35000517", "identifier-finess-form", "9 digits"),
        (SIRENE, "732829321", "identifier-siren-key", "must be `0`"),
        (SIRENE, "73282932000075", "identifier-siret-key", "must be `4`"),
        (SIRENE, "73282932100074", "identifier-siret-siren-key", "SIREN"),
        (SIRENE, "35600000009076", "identifier-siret-key", "multiple of 5"),
        (SIRENE, "7328293200007", "identifier-sirene-form", "14 for a SIRET"),
        (SIRENE, "7328293200007x", "identifier-siret-form", "14 digits"),
        (STRUCTURE, "1580008804", "identifier-idnatstruct-key", "FINESS"),
        (STRUCTURE, "2264403107", "identifier-idnatstruct-key", "SIREN"),
        (STRUCTURE, "373282932000075", "identifier-idnatstruct-key", "SIRET"),
        (STRUCTURE, "9580008803", "identifier-idnatstruct-form", "`1` and a FINESS"),
        (STRUCTURE, "0", "identifier-idnatstruct-form", ""),
        (STAY, "3480787529/1477-EVN-1012", "identifier-tddui-form", "-SEJOUR-"),
        (STAY, "480787529/1477-SEJOUR-1012", "identifier-tddui-form", "`3` + FINESS"),
        (STAY, "3480787529/1477-SEJOUR-", "identifier-tddui-form", ""),
        (PERSON, "3480787529/", "identifier-tddui-form", "local id"),
    ],
)
def test_faults_warn_and_name_what_is_expected(
    validators: dict[str, Validator], system: str, value: str, rule: str, says: str
) -> None:
    [issue] = validators["warn"].validate(organization(system, value))
    assert (issue.severity, issue.rule, issue.expression) == ("warning", rule, "Organization.identifier[0].value")
    assert says in issue.english
    assert "\ue000" not in issue.french
    # What was sent is not said again: outcomes end in logs.
    assert len(value) < 5 or value not in issue.english + issue.french
    assert validators["off"].validate(organization(system, value)) == []


@pytest.mark.parametrize(("system", "value"), [(ADELI, "759999999"), (IDNPS, "0759999999")])
def test_adeli_is_history(validators: dict[str, Validator], system: str, value: str) -> None:
    [issue] = validators["production"].validate(organization(system, value))
    assert (issue.severity, issue.rule) == ("information", "identifier-adeli-ended")


def test_id_of_a_situation_that_calls_itself_rpps_is_none(validators: dict[str, Validator]) -> None:
    issues = validators["warn"].validate(organization(RPPS, "1011848351", type=typed("RPPS")))
    assert [issue.rule for issue in issues if issue.rule != ADVICE] == ["identifier-rpps-form"]


@pytest.mark.parametrize(
    ("system", "value", "severities"),
    [
        (NIR, "255081416802539", {"identifier-nir-key": "error"}),
        (NIA, "2550814168025", {"identifier-nir-form": "error"}),
        (TEST, "255081416802539", {"identifier-nir-key": "warning", "ins-invented": "warning"}),
        (DEMO, "255081416802538", {"ins-invented": "warning"}),
        (BILLING, "255081416802539", {"identifier-nir-key": "warning"}),
        (RPPS, "10003461033", {"identifier-rpps-key": "warning"}),
        (FINESS, "350005178", {"identifier-finess-key": "warning"}),
    ],
)
def test_production_refuses_the_ins_alone(
    validators: dict[str, Validator], system: str, value: str, severities: dict[str, str]
) -> None:
    issues = validators["production"].validate(organization(system, value))
    assert {issue.rule: issue.severity for issue in issues} == severities


def patient(*identifiers: dict[str, Any], status: str | None = None) -> dict[str, Any]:
    sound: dict[str, Any] = {"resourceType": "Patient", "identifier": list(identifiers)}
    if status is not None:
        coding = {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445", "code": status}
        sound["extension"] = [
            {"url": RELIABILITY, "extension": [{"url": "identityStatus", "valueCoding": coding}]},
        ]
    return sound


INS = {"system": NIR, "value": "255081416802538", "type": typed("INS-NIR")}
NIA_INS = {"system": NIA, "value": "255081416802538", "type": typed("INS-NIA")}
LOCAL = {"system": "urn:local", "value": "1"}
BILLED = {"system": NIR, "value": "255081416802538", "type": typed("NH")}
"""The billing number of FR Core 2.1.0: the OID of the INS, another type."""


@pytest.mark.parametrize(
    ("identifiers", "status", "places"),
    [
        ([INS], "VALI", []),
        ([INS], "PROV", ["Patient.identifier[0]"]),
        ([INS], None, ["Patient.identifier[0]"]),
        ([LOCAL, INS, NIA_INS], "ANOM", ["Patient.identifier[1]", "Patient.identifier[2]"]),
        ([LOCAL, BILLED], "PROV", []),
        ([{**INS, "system": TEST, "type": typed("INS-NIR-TEST")}], None, []),
    ],
)
def test_ins_goes_with_a_qualified_identity(
    validators: dict[str, Validator], identifiers: list[dict[str, Any]], status: str | None, places: list[str]
) -> None:
    for mode, severity in (("warn", "warning"), ("production", "error")):
        found = [issue for issue in validators[mode].validate(patient(*identifiers, status=status))]
        told = [(each.severity, each.expression) for each in found if each.rule == "ins-not-qualified"]
        assert told == [(severity, place) for place in places]
    found = validators["off"].validate(patient(*identifiers, status=status))
    assert [each for each in found if each.rule != ADVICE] == []


FR_CORE_INS = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"
OFFICIAL = {**INS, "use": "official"}
BORN_SOMEWHERE = {
    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
    "valueAddress": {
        "extension": [
            {
                "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code",
                "valueCoding": {"code": "99999"},
            }
        ]
    },
}


@pytest.mark.parametrize(
    ("identifiers", "status", "rules"),
    [
        ([OFFICIAL], "VALI", set()),
        ([{**OFFICIAL, "system": DEMO, "type": typed("INS-NIR-DEMO")}, LOCAL], "VALI", set()),
        ([INS], "VALI", {"fr-core-1", "fr-core-2"}),
        ([{**BILLED, "use": "official"}], "VALI", {"fr-core-1"}),
        ([OFFICIAL, {**LOCAL, "use": "official"}], "VALI", {"fr-core-2"}),
        ([LOCAL], "PROV", set()),
    ],
)
def test_rules_of_fr_core_for_the_ins_without_its_package(
    validators: dict[str, Validator], identifiers: list[dict[str, Any]], status: str, rules: set[str]
) -> None:
    sent = patient(*identifiers, status=status) | {"meta": {"profile": [f"{FR_CORE_INS}|2.2.0"]}}
    for mode, severity in (("warn", "warning"), ("production", "error")):
        found = [each for each in validators[mode].validate(sent) if each.rule.startswith("fr-core-")]
        assert {each.rule for each in found} == rules
        assert {(each.severity, each.expression, each.profiles) for each in found} <= {
            (severity, "Patient", (f"{FR_CORE_INS}|2.2.0",))
        }
    plain = sent | {"meta": {"profile": [FR_CORE_INS.removesuffix("-ins")]}}
    assert not [each for each in validators["warn"].validate(plain) if each.rule.startswith("fr-core-")]


def test_unknown_place_of_birth_only_warns(validators: dict[str, Validator]) -> None:
    sent = patient(OFFICIAL, status="VALI") | {"meta": {"profile": [FR_CORE_INS]}}
    sent["extension"].append(BORN_SOMEWHERE)
    found = [each for each in validators["production"].validate(sent) if each.rule.startswith("fr-core-")]
    assert [(each.rule, each.severity) for each in found] == [("fr-core-3", "warning")]


def test_known_profile_speaks_for_itself() -> None:
    registry = DefinitionRegistry()
    registry.add(
        {
            "resourceType": "StructureDefinition",
            "url": FR_CORE_INS,
            "kind": "resource",
            "type": "Patient",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
            "derivation": "constraint",
        }
    )
    sent = patient(LOCAL, status="VALI") | {"meta": {"profile": [FR_CORE_INS]}}
    assert Validator(registry, Terminology(registry)).validate(sent) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"system": NIR, "value": 1},
        {"system": [NIR], "value": "x"},
        {"system": NIR},
        {"system": NIR, "value": "1", "type": "INS-NIR"},
        {"system": NIR, "value": "1", "type": {"coding": ["INS-NIR", {"code": ["x"]}]}},
        "x",
    ],
)
def test_content_of_any_shape_is_no_failure(validators: dict[str, Validator], broken: Any) -> None:
    sent = patient(broken) | {"extension": [1, {"url": RELIABILITY, "extension": [{"url": "identityStatus"}]}]}
    assert validators["production"].validate(sent)


SOUND_NUMBERS = [
    (NIR, "255081416802538"),
    (NIR, "253072B07300470"),
    (NIA, "260058815400233"),
    (RPPS, "10005173140"),
    (IDNPS, "899700218896"),
    (FINESS, "350005179"),
    (FINESS, "2A0000014"),
    (SIRENE, "732829320"),
    (SIRENE, "73282932000074"),
    (STRUCTURE, "1580008803"),
    (STRUCTURE, "373282932000074"),
]


@given(data=st.data())
def test_any_other_digit_is_found(data: st.DataObject) -> None:
    system, value = data.draw(st.sampled_from(SOUND_NUMBERS))
    place = data.draw(st.sampled_from([index for index, each in enumerate(value) if each.isdigit()]))
    digit = data.draw(st.sampled_from([each for each in "0123456789" if each != value[place]]))
    changed = value[:place] + digit + value[place + 1 :]
    if system in (IDNPS, STRUCTURE) and not place:  # the first digit says what kind of number follows
        return
    assert RULES[system](value, {}) is None
    assert RULES[system](changed, {}) is not None, changed


def issue_rules(issues: list[Issue]) -> list[str]:
    return [issue.rule for issue in issues]


def test_identifiers_inside_references_are_looked_at_too(validators: dict[str, Validator]) -> None:
    sent = {
        "resourceType": "Basic",
        "code": {"text": "x"},
        "author": {"identifier": {"system": RPPS, "value": "10003461033"}},
    }
    issues = validators["warn"].validate(sent)
    assert issue_rules(issues) == ["identifier-rpps-key"]
    assert issues[0].expression == "Basic.author.identifier.value"
