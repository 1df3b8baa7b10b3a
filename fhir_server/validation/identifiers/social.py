"""Local identifiers of social and medico-social structures, as the guide TDDUI has them.

`3` and the FINESS of the structure, `/`, the local id of the person; for a stay, an event or a personal project also
its kind and number: `3480787529/147720425367411-SEJOUR-1012`. The guide's own examples have a FINESS with a wrong key,
so only the form is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.messages import wrong_form

_person = re.compile(r"3(?:[0-9]{2}|2[AB])[0-9]{7}/[^/\s]+")


def check_local_id(value: str, _identifier: Mapping[str, Any], *, kind: str) -> Finding | None:
    """Returns what is wrong with a local id; `kind` is `SEJOUR`, `EVN`, `PPER`, empty for that of a person."""
    person, number = (value, "1") if not kind else (value.rpartition(f"-{kind}-")[index] for index in (0, 2))
    if _person.fullmatch(person) and number and not re.search(r"[\s/]", number):
        return None
    form = f"`3` + FINESS + `/` + local id{f' + `-{kind}-` + number' if kind else ''}"
    forme = f"`3` + FINESS + `/` + identifiant local{f' + `-{kind}-` + numéro' if kind else ''}"
    return wrong_form("identifier-tddui", f"TDDUI id{f' ({kind})' if kind else ''}", form, forme)
