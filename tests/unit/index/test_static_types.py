"""The types that expressions yield, told without running them."""

import pytest

from fhir_server.fhirpath.parser import parse
from fhir_server.index.static_types import NotIndexable, yielded_types
from fhir_server.spec.definitions import resource_types
from tests.support.matching import REGISTRY


@pytest.mark.parametrize("name", sorted(resource_types()))
def test_what_is_told_of_r4_agrees_with_what_is_walked(name: str) -> None:
    for parameter in REGISTRY.for_type(name).values():
        for branch in parameter.alternatives:
            told = yielded_types(parse(branch.text), name)
            if branch.path is not None and told is not None and not told & {"id", "string", "Location.position"}:
                assert told == branch.types, (parameter.code, branch.text)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Patient.name", {"HumanName"}),
        ("name.family", {"string"}),
        ("Patient.name.first().given | Patient.name[0].family", {"string"}),
        ("Patient.deceased", {"boolean", "dateTime"}),
        ("Patient.deceased.exists() and Patient.active", {"boolean"}),
        ("Patient.deceased is dateTime", {"boolean"}),
        ("Patient.extension('urn:x')", {"Extension"}),
        ("Patient.extension.where(url = 'urn:x').value as Address", {"Address"}),
        ("Patient.contact.where(gender = 'male').select(name.family)", {"string"}),
        ("Patient.name.family.substring(0, 1)", {"string"}),
        ("Patient.generalPractitioner.where(resolve() is Organization)", {"Reference"}),
        ("Patient.contained.name", None),
        ("Patient.contained as Practitioner", {"Practitioner"}),
        ("Patient.name.count()", None),
        ("Patient.name.family + 'x'", None),
        ("%resource.id", None),
        ("$this.active", {"boolean"}),
    ],
)
def test_types_are_told(expression: str, expected: set[str] | None) -> None:
    assert yielded_types(parse(expression), "Patient") == expected


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("Patient.nam", "`Patient` has no element `nam`"),
        ("Patient.name.where(famly = 'x')", "`HumanName` has no element `famly`"),
        ("Patient.name as Address", "a value of `HumanName` is never of type `Address`"),
        ("Patient.managingOrganization.resolve().name", "`resolve()` needs more than the resource itself"),
        ("Patient.maritalStatus.memberOf('urn:x')", "`memberOf()` needs more"),
        ("today()", "`today()` changes with time"),
        ("Patient.name.sparkle()", "the function `sparkle()` is not known"),
        ("%secret", "the variable `%secret` is not known"),
    ],
)
def test_what_cannot_be_indexed_is_named(expression: str, sentence: str) -> None:
    with pytest.raises(NotIndexable) as reason:
        yielded_types(parse(expression), "Patient")
    assert sentence in reason.value.english
    assert reason.value.french != reason.value.english
