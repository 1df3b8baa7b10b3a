"""Identifiers of professionals: RPPS, the national id (IDNPS) that is made of it, and ADELI, which has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.luhn import check_digits
from fhir_server.validation.identifiers.messages import adeli_ended, wrong_form

_situation = re.compile(r"[0-9]{10}")
"""The id of an exercise situation, which the Annuaire Santé gives under the system of RPPS numbers."""
_adeli = re.compile(r"[0-9][0-9AB][0-9A-Z][0-9]{6}")
_FORMS = (
    "`8` and an RPPS number, `0` and an ADELI number, or `1`, `3`, `4`, `5`, `6` and the id in a structure",
    "`8` et un numéro RPPS, `0` et un numéro ADELI, ou `1`, `3`, `4`, `5`, `6` et l’identifiant dans une structure",
)


def check_rpps(value: str, identifier: Mapping[str, Any]) -> Finding | None:
    """Returns what is wrong with an RPPS number; the id of a situation, which is no RPPS number, is left alone."""
    if _situation.fullmatch(value) and not has_type(identifier, "RPPS"):
        return None
    return check_digits(value, 11, "identifier-rpps", "RPPS")


def check_adeli(value: str, _identifier: Mapping[str, Any]) -> Finding | None:
    """Returns that the register has ended, or that the value was never in it."""
    if _adeli.fullmatch(value):
        return adeli_ended()
    form, forme = "9 characters, the département first", "9 caractères, le département d’abord"
    return wrong_form("identifier-adeli", "ADELI", form, forme)


def check_idnps(value: str, identifier: Mapping[str, Any]) -> Finding | None:
    """Returns what is wrong with a national id of a professional: a digit for its origin, and the id there."""
    origin, rest = value[:1], value[1:]
    if origin == "8":
        return check_digits(rest, 11, "identifier-idnps", "IDNPS (`8` + RPPS)")
    if origin == "0":
        return check_adeli(rest, identifier)
    return None if rest and origin in "13456" else wrong_form("identifier-idnps", "IDNPS", *_FORMS)


def has_type(identifier: Mapping[str, Any], code: str) -> bool:
    """True where `Identifier.type` has a coding with this code; content of any shape may come."""
    concept = identifier.get("type")
    codings = concept.get("coding") if type(concept) is dict else None
    return type(codings) is list and any(type(each) is dict and each.get("code") == code for each in codings)
