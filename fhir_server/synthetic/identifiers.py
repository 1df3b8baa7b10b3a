"""Invented identifiers with right keys: NIR (INS of the test OID), RPPS, FINESS, SIREN.

The numbers lie where no real one does: RPPS from 99 9…, FINESS of the free range `xx 9 9…`, SIREN from 999….
They must never be sent to a national service.
"""

from __future__ import annotations

NIR_MODULUS = 97


def nir_key(nir: str) -> str:
    """Returns the two digits that follow a 13-character NIR; the Corsican `2A` and `2B` count as 19 and 18.

    `nir_key("2550814168025")` is `38`.
    """
    digits = nir.replace("2A", "19").replace("2B", "18") if nir[5:7] in {"2A", "2B"} else nir
    return f"{NIR_MODULUS - int(digits) % NIR_MODULUS:02d}"


def luhn_digit(digits: str) -> str:
    """Returns the digit that makes `digits` plus itself pass Luhn's check."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        value = int(character)
        if position % 2 == 0:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return str(-total % 10)


def is_luhn(digits: str) -> bool:
    """True where the last digit is the key of the others."""
    return luhn_digit(digits[:-1]) == digits[-1]


def is_nir(number: str) -> bool:
    """True for 15 characters whose last two are the key of the others."""
    return len(number) == 15 and nir_key(number[:13]) == number[13:]


def build_nir(*, female: bool, year: int, month: int, commune: str, order: int) -> str:
    """Returns a 15-character NIR; `commune` is a COG code of five characters, `order` lies within 1..999."""
    number = f"{2 if female else 1}{year % 100:02d}{month:02d}{commune}{order:03d}"
    return number + nir_key(number)


def build_rpps(serial: int) -> str:
    """Returns an RPPS number of 11 digits in the fictive range 999…; `serial` lies within 0..9,999,999."""
    body = f"999{serial:07d}"
    return body + luhn_digit(body)


def build_finess(department: str, serial: int) -> str:
    """Returns a FINESS number of 9 digits in the fictive range `<department>99…`; `serial` lies within 0..9,999."""
    body = f"{department[:2]}99{serial:04d}"
    return body + luhn_digit(body)


def build_siren(serial: int) -> str:
    """Returns a SIREN number of 9 digits in the fictive range 999…; `serial` lies within 0..99,999."""
    body = f"999{serial:05d}"
    return body + luhn_digit(body)


def build_siret(siren: str) -> str:
    """Returns the SIRET number of 14 digits of the first establishment of this SIREN."""
    body = f"{siren}0001"
    return body + luhn_digit(body)
