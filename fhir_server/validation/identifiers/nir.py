"""NIR and NIA: 13 characters and a key of two digits, 97 minus the number modulo 97; `2A` counts as 19, `2B` as 18.

The same number is the matricule of the national health identity (INS) and, under other OIDs, of billing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stdnum.fr.nir import calc_check_digits

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.messages import wrong_form, wrong_key

_RULE, _NAME = "identifier-nir", "NIR/NIA"
_form = re.compile(r"[123478][0-9]{2}(?:0[1-9]|1[0-2]|[2-9][0-9])(?:2[AB]|[0-9]{2})[0-9]{8}")
"""Sex, year, month (20 and above: incomplete civil status), département, commune, order, key."""


def check_nir(value: str, _identifier: Mapping[str, Any]) -> Finding | None:
    """Returns what is wrong with a NIR or NIA, key included, without spaces."""
    if not _form.fullmatch(value):
        return wrong_form(
            _RULE,
            _NAME,
            "sex (1, 2, 3, 4, 7, 8), year, month, département (`2A` and `2B` in Corsica), commune, order and the key of"
            " two digits: 15 characters without spaces",
            "sexe (1, 2, 3, 4, 7, 8), année, mois, département (`2A` et `2B` en Corse), commune, ordre et la clé de"
            " deux chiffres : 15 caractères sans espace",
        )
    key = calc_check_digits(value)
    return None if key == value[13:] else wrong_key(_RULE, _NAME, key, value[13:])
