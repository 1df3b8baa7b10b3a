"""Identifiers of structures: FINESS, SIREN, SIRET, and the national id (idNatStruct) that is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stdnum.fr import siret
from stdnum.luhn import calc_check_digit

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.luhn import check_digits
from fhir_server.validation.identifiers.messages import wrong_form, wrong_key, wrong_sum

_finess = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{7}")
_CORSICA = str.maketrans("AB", "12")
_LA_POSTE = "356000000"
_FORMS = (
    "`1` and a FINESS, `2` and a SIREN, `3` and a SIRET, or `0`, `4`, `5`, `6` and another id of a structure",
    "`1` et un FINESS, `2` et un SIREN, `3` et un SIRET, ou `0`, `4`, `5`, `6` et un autre identifiant de structure",
)


def check_finess(value: str, _identifier: Mapping[str, Any], rule: str = "identifier-finess") -> Finding | None:
    """Returns what is wrong with a FINESS: Luhn's key, the `A` and `B` of Corsica counted as 1 and 2."""
    if not _finess.fullmatch(value):
        form, forme = "9 digits, or `2A`, `2B` and 7 digits", "9 chiffres, ou `2A`, `2B` et 7 chiffres"
        return wrong_form(rule, "FINESS", form, forme)
    key = calc_check_digit(value[:-1].translate(_CORSICA))
    return None if key == value[-1] else wrong_key(rule, "FINESS", key, value[-1])


def check_sirene(value: str, _identifier: Mapping[str, Any]) -> Finding | None:
    """Returns what is wrong with a SIREN (9 digits) or a SIRET (14), which share a system."""
    if len(value) in (9, 14):
        return check_digits(value, 9, "identifier-siren", "SIREN") if len(value) == 9 else check_siret(value)
    form, forme = "9 digits for a SIREN, 14 for a SIRET", "9 chiffres pour un SIREN, 14 pour un SIRET"
    return wrong_form("identifier-sirene", "SIREN/SIRET", form, forme)


def check_siret(value: str, rule: str = "identifier-siret") -> Finding | None:
    """Returns what is wrong with a SIRET: the key of its SIREN, and its own; La Poste has a rule of its own."""
    found = check_digits(value, 14, rule, "SIRET")
    if found is not None and found.rule.endswith("-form"):
        return found
    if (of_siren := check_digits(value[:9], 9, f"{rule}-siren", "SIREN")) is not None:
        return of_siren
    if value.startswith(_LA_POSTE):
        return None if siret.is_valid(value) else wrong_sum(rule, "SIRET")
    return found


def check_idnatstruct(value: str, identifier: Mapping[str, Any]) -> Finding | None:
    """Returns what is wrong with a national id of a structure: a digit for its origin, and the id there."""
    origin, rest, rule = value[:1], value[1:], "identifier-idnatstruct"
    match origin:
        case "1":
            return check_finess(rest, identifier, rule)
        case "2":
            return check_digits(rest, 9, rule, "SIREN")
        case "3":
            return check_siret(rest, rule)
    return None if rest and origin in "0456" else wrong_form(rule, "idNatStruct", *_FORMS)
