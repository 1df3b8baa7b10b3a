"""Invented identifiers with right keys: NIR (INS of the test OID), RPPS, FINESS, SIREN.

The numbers lie where no real one does: RPPS from 99 9…, FINESS of the free range `xx 9 9…`, SIREN from 999….
They must never be sent to a national service.
"""

from __future__ import annotations

from stdnum.fr.nir import calc_check_digits
from stdnum.luhn import calc_check_digit


def build_nir(*, female: bool, year: int, month: int, commune: str, order: int) -> str:
    """Returns a 15-character NIR; `commune` is a COG code of five characters, `order` lies within 1..999."""
    number = f"{2 if female else 1}{year % 100:02d}{month:02d}{commune}{order:03d}"
    return number + calc_check_digits(number)


def build_rpps(serial: int) -> str:
    """Returns an RPPS number of 11 digits in the fictive range 999…; `serial` lies within 0..9,999,999."""
    body = f"999{serial:07d}"
    return body + calc_check_digit(body)


def build_finess(department: str, serial: int) -> str:
    """Returns a FINESS number of 9 digits in the fictive range `<department>99…`; `serial` lies within 0..9,999."""
    body = f"{department[:2]}99{serial:04d}"
    return body + calc_check_digit(body)


def build_siren(serial: int) -> str:
    """Returns a SIREN number of 9 digits in the fictive range 999…; `serial` lies within 0..99,999."""
    body = f"999{serial:05d}"
    return body + calc_check_digit(body)


def build_siret(siren: str) -> str:
    """Returns the SIRET number of 14 digits of the first establishment of this SIREN."""
    body = f"{siren}0001"
    return body + calc_check_digit(body)
