"""Which search parameters exist, and where their values are."""

import pytest

from fhir_server.errors import NotSupported
from fhir_server.fhirpath import compile_expression
from fhir_server.index import TYPES, Indexer, SearchParameterRegistry, words
from fhir_server.index.expressions import alternatives, is_single, targets_of
from fhir_server.spec.definitions import resource_types, table
from tests.support.matching import REGISTRY

ROWS = [row for row in table("search_parameters") if row["type"] in TYPES and row.get("expression") and row.get("base")]
EXAMPLES = "http://hl7.org/fhir/SearchParameter/example"


def test_every_parameter_that_is_neither_composite_nor_special_is_there() -> None:
    missing = [
        (base, row["code"])
        for row in ROWS
        for base in row["base"]
        if base in resource_types() and not row["url"].startswith(EXAMPLES) and REGISTRY.find(base, row["code"]) is None
    ]
    assert missing == []
    assert sum(len(REGISTRY.for_type(name)) for name in resource_types()) > 1600 + 6 * 140


def test_hl7s_examples_of_search_parameters_are_not_taken_for_r4s() -> None:
    subject = REGISTRY.find("Condition", "subject")
    assert subject is not None
    assert subject.targets == ("Group", "Patient")
    assert REGISTRY.find("Patient", "part-agree") is None


@pytest.mark.parametrize("name", sorted(resource_types()))
def test_every_branch_walks_or_compiles(name: str) -> None:
    for parameter in REGISTRY.for_type(name).values():
        assert parameter.alternatives or parameter.repetitions or parameter.code in words.CODES
        for branch in parameter.alternatives:
            assert branch.path is not None or compile_expression(branch.text, name)
            assert branch.heads or " and " in branch.text


@pytest.mark.parametrize("name", sorted(resource_types()))
def test_every_parameter_is_read_from_where_values_are_written(name: str) -> None:
    known = REGISTRY.for_type(name)
    for parameter in known.values():
        for home in parameter.homes:
            assert known[home.code].is_indexed, (name, parameter.code, home)
            assert known[home.code].type == parameter.type


@pytest.mark.parametrize(
    ("resource_type", "code", "homes"),
    [
        ("Observation", "code", ["code"]),
        ("Observation", "combo-code", ["code", "component-code"]),
        ("Observation", "combo-value-quantity", ["component-value-quantity", "value-quantity"]),
        ("Observation", "patient", ["subject"]),
        ("Patient", "phonetic", ["name"]),
        ("AuditEvent", "patient", ["patient"]),
        ("Appointment", "practitioner", ["actor"]),
        ("Patient", "family", ["family"]),
    ],
)
def test_values_are_indexed_once(resource_type: str, code: str, homes: list[str]) -> None:
    parameter = REGISTRY.find(resource_type, code)
    assert parameter is not None
    assert [home.code for home in parameter.homes] == homes


@pytest.mark.parametrize(
    ("resource_type", "code"),
    [
        ("Encounter", "date"),
        ("Observation", "date"),
        ("EpisodeOfCare", "date"),
        ("ServiceRequest", "authored"),
        ("MedicationStatement", "effective"),
        ("Goal", "start-date"),
        ("QuestionnaireResponse", "authored"),
        ("Condition", "recorded-date"),
        ("Patient", None),
        ("Organization", None),
    ],
)
def test_main_date(resource_type: str, code: str | None) -> None:
    found = REGISTRY.main_date(resource_type)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("resource_type", "code", "expected"),
    [
        ("Encounter", "date", False),
        ("Observation", "date", False),
        ("Goal", "start-date", False),
        ("RiskAssessment", "date", False),
        ("Consent", "date", False),
        ("MedicationRequest", "date", True),
        ("Patient", "given", True),
        ("Group", "value", True),
        ("Bundle", "identifier", False),
        ("Observation", "combo-code", True),
    ],
)
def test_parameters_that_can_repeat(resource_type: str, code: str, expected: bool) -> None:
    parameter = REGISTRY.find(resource_type, code)
    assert parameter is not None
    assert REGISTRY.can_repeat(parameter) is expected


@pytest.mark.parametrize(
    ("resource_type", "code", "expected"),
    [
        ("Observation", "patient", True),
        ("Observation", "subject", True),
        ("Observation", "performer", False),
        ("Observation", "code", False),
        ("Appointment", "patient", False),
        ("Coverage", "beneficiary", True),
        ("Coverage", "payor", False),
        ("Organization", "partof", False),
        ("AuditEvent", "patient", False),
    ],
)
def test_parameters_that_tell_the_compartment(resource_type: str, code: str, expected: bool) -> None:
    parameter = REGISTRY.find(resource_type, code)
    assert parameter is not None
    assert REGISTRY.is_patient(parameter) is expected
    assert str(parameter) == code


def test_parameters_of_all_types() -> None:
    assert REGISTRY.find("Patient", "_tag")
    assert REGISTRY.find("Bundle", "_lastUpdated")
    assert REGISTRY.find("Patient", "part-agree") is None
    assert REGISTRY.for_type("Nonsense") == {}
    assert REGISTRY.find("Observation", "code-value-quantity")
    assert REGISTRY.find("Location", "near")
    assert REGISTRY.find("Patient", "_content")
    assert REGISTRY.is_unavailable("Patient", "age")
    assert not REGISTRY.is_unavailable("Patient", "colour")


def test_describe_gives_name_type_and_definition() -> None:
    rows = REGISTRY.describe("Observation")
    assert ("code", "token", "http://hl7.org/fhir/SearchParameter/clinical-code") in rows
    assert rows == sorted(rows)


def test_a_later_row_replaces_an_earlier_one() -> None:
    row = {"url": "http://x", "code": "name", "base": ["Patient"], "type": "string", "expression": "Patient.name.given"}
    registry = SearchParameterRegistry([*table("search_parameters"), row])
    parameter = registry.find("Patient", "name")
    assert parameter is not None
    assert (parameter.url, [home.code for home in parameter.homes]) == ("http://x", ["given"])


@pytest.mark.parametrize(
    ("expression", "resource_type", "path", "leaves"),
    [
        ("Patient.name.family", "Patient", ("name",), (("family", "string"),)),
        ("Observation.component.code", "Observation", ("component",), (("code", "CodeableConcept"),)),
        ("(Observation.value as Quantity)", "Observation", (), (("valueQuantity", "Quantity"),)),
        ("Condition.abatement.as(Age)", "Condition", (), (("abatementAge", "Age"),)),
        ("Questionnaire.item.item.code", "Questionnaire", ("item", "item"), (("code", "Coding"),)),
        ("Observation.value.text", "Observation", None, ()),
        ("Patient.nonsense", "Patient", None, ()),
        ("Patient.telecom.where(system='email')", "Patient", None, ()),
    ],
)
def test_expressions_are_read(
    expression: str, resource_type: str, path: tuple[str, ...] | None, leaves: tuple[tuple[str, str], ...]
) -> None:
    (branch,) = alternatives(expression, resource_type)
    assert (branch.path, branch.leaves) == (path, leaves)


def test_targets_are_read_from_the_element() -> None:
    (branch,) = alternatives("Encounter.location.location", "Encounter")
    assert targets_of(branch, "Encounter") == ("Location",)
    (branch,) = alternatives("Encounter.location.location.where(true)", "Encounter")
    assert targets_of(branch, "Encounter") == ()


def test_elements_that_repeat() -> None:
    assert is_single("Observation", "subject")
    assert not is_single("Observation", "performer")
    assert not is_single("Observation", "nonsense")
    assert is_single("Observation", "value")


def test_branches_that_ask_for_a_type_of_target_are_alike() -> None:
    # The reference module applies the type to all values of a parameter.
    for name in resource_types():
        for parameter in REGISTRY.for_type(name).values():
            assert len({branch.target for branch in parameter.alternatives}) <= 1, (name, parameter.code)


STARTED = {
    "url": "urn:started",
    "code": "started",
    "base": ["EpisodeOfCare", "Patient"],
    "type": "date",
    "expression": "EpisodeOfCare.period.start | Patient.birthDate",
}


def test_a_parameter_is_added_beside_those_of_r4() -> None:
    registry = SearchParameterRegistry(table("search_parameters"), shipped=[STARTED])
    parameter = registry.find("EpisodeOfCare", "started")
    assert parameter is not None
    assert parameter.is_indexed
    assert [home.code for home in registry.for_type("Patient")["started"].homes] == ["birthdate"]
    assert registry.for_type("EpisodeOfCare")["date"].homes == REGISTRY.for_type("EpisodeOfCare")["date"].homes
    main = registry.main_date("EpisodeOfCare")
    assert main is not None
    assert main.code == "date"
    assert registry.defined_by("Patient", "started") == "urn:started"
    assert registry.defined_by("Resource", "started") == "urn:started"
    assert registry.defined_by("Location", "near") == "http://hl7.org/fhir/SearchParameter/Location-near"
    assert registry.defined_by("Location", "started") is None


def test_what_clients_add_comes_and_goes_and_never_replaces() -> None:
    registry = SearchParameterRegistry(table("search_parameters"), shipped=[STARTED])
    registry.adopt([STARTED | {"url": "urn:other"}, STARTED | {"url": "urn:new", "code": "begun", "base": ["Patient"]}])
    begun, started = registry.find("Patient", "begun"), registry.find("Patient", "started")
    assert begun is not None
    assert started is not None
    assert (begun.url, started.url) == ("urn:new", "urn:started")
    registry.adopt([])
    assert registry.find("Patient", "begun") is None
    assert registry.find("Patient", "started") is not None
    assert registry.revision == 3


def test_an_added_parameter_never_orders_resources_by_default() -> None:
    row = STARTED | {"code": "start", "base": ["Patient"], "expression": "Patient.birthDate"}
    assert SearchParameterRegistry(table("search_parameters"), shipped=[row]).main_date("Patient") is None


def test_values_of_a_type_that_an_added_parameter_cannot_have_are_left_out() -> None:
    row = STARTED | {
        "code": "called",
        "base": ["Patient"],
        "type": "token",
        "expression": "Patient.name | Patient.active",
    }
    indexer = Indexer(SearchParameterRegistry(table("search_parameters"), shipped=[row]))
    patient = {"resourceType": "Patient", "active": True, "name": [{"family": "Martin"}]}
    assert [key for key in indexer.document(patient)["k"] if key.startswith("called")] == ["called:true"]


def test_an_expression_of_another_type_makes_no_parameter() -> None:
    row = STARTED | {"code": "elsewhere", "base": ["Patient"], "expression": "EpisodeOfCare.period"}
    registry = SearchParameterRegistry(table("search_parameters"), shipped=[row])
    assert registry.find("Patient", "elsewhere") is None


def test_a_parameter_in_the_making_is_indexed_and_not_offered() -> None:
    registry = SearchParameterRegistry(table("search_parameters"))
    registry.adopt([STARTED], {("EpisodeOfCare", "started"): 43})
    with pytest.raises(NotSupported, match="`started` of `EpisodeOfCare` is being built: 43 %"):
        registry.find("EpisodeOfCare", "started")
    assert "started" in registry.indexed("EpisodeOfCare")
    assert "started" not in registry.for_type("EpisodeOfCare")
    registry.progress({("EpisodeOfCare", "started"): 44})
    with pytest.raises(NotSupported, match="44 %"):
        registry.find("EpisodeOfCare", "started")
    assert registry.find("Patient", "started") is not None
