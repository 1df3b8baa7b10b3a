import pytest

from fhir_server.synthetic.identifiers import (
    build_finess,
    build_nir,
    build_rpps,
    build_siren,
    build_siret,
    is_luhn,
    is_nir,
    nir_key,
)


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("255081416802538", True),
        ("255081416802539", False),
        ("295109912611193", True),
        ("295109912611199", False),
        ("253072B07300470", True),
        ("253072A07300443", True),
        ("260058815400233", True),
        ("123456789012244", False),
        ("25508141680253", False),
    ],
)
def test_nir_key_follows_from_the_thirteen_characters(number: str, valid: bool) -> None:
    assert is_nir(number) == valid


def test_nir_key_always_has_two_digits() -> None:
    assert {len(nir_key(f"255081416802{last}")) for last in range(10)} == {2}


def test_nir_holds_sex_birth_commune_and_order() -> None:
    nir = build_nir(female=True, year=1984, month=3, commune="31555", order=7)
    assert nir.startswith("2840331555007")
    assert is_nir(nir)


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("10005173140", True),
        ("10003461033", False),
        ("350005179", True),
        ("580008803", True),
        ("770816478", True),
        ("732829320", True),
        ("732829321", False),
        ("73282932000074", True),
    ],
)
def test_luhn_key_is_the_last_digit(number: str, valid: bool) -> None:
    assert is_luhn(number) == valid


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
    assert is_luhn(number)
