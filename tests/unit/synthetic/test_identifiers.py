import pytest
from stdnum import luhn
from stdnum.fr import nir

from fhir_server.synthetic.identifiers import (
    build_finess,
    build_nir,
    build_rpps,
    build_siren,
    build_siret,
)


def test_nir_holds_sex_birth_commune_and_order() -> None:
    number = build_nir(female=True, year=1984, month=3, commune="31555", order=7)
    assert number.startswith("2840331555007")
    assert nir.is_valid(number)


@pytest.mark.parametrize(
    ("number", "length", "start"),
    [
        (build_rpps(0), 11, "999"),
        (build_rpps(9_999_999), 11, "999"),
        (build_finess("67", 12), 9, "6799"),
        (build_siren(12), 9, "999"),
        (build_siret(build_siren(12)), 14, build_siren(12)),
    ],
)
def test_invented_numbers_have_a_key_and_lie_in_the_fictive_range(number: str, length: int, start: str) -> None:
    assert len(number) == length
    assert number.startswith(start)
    assert luhn.is_valid(number)
