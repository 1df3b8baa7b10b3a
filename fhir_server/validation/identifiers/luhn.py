"""Numbers whose last digit is Luhn's key of the others."""

from __future__ import annotations

from stdnum.luhn import calc_check_digit

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.messages import wrong_form, wrong_key


def check_digits(value: str, length: int, rule: str, name: str) -> Finding | None:
    """Returns what is wrong with a number of `length` digits; `name` is what such a number is called."""
    if len(value) != length or not (value.isascii() and value.isdecimal()):
        return wrong_form(rule, name, f"{length} digits without spaces", f"{length} chiffres sans espace")
    key = calc_check_digit(value[:-1])
    return None if key == value[-1] else wrong_key(rule, name, key, value[-1])
