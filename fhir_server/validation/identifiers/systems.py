"""Systems of French identifiers, and the rule that the values of each meet.

OIDs and URLs are those of FR Core 2.2.0 and of the guides Annuaire Santé and TDDUI of the Agence du numérique en santé.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.nir import check_nir
from fhir_server.validation.identifiers.professionals import check_adeli, check_idnps, check_rpps
from fhir_server.validation.identifiers.social import check_local_id
from fhir_server.validation.identifiers.structures import check_finess, check_idnatstruct, check_sirene

Rule: TypeAlias = Callable[[str, Mapping[str, Any]], Finding | None]
"""Judges a value; the second argument is the Identifier that it stands in."""

INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
INS_NIA = "urn:oid:1.2.250.1.213.1.4.9"
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"
INS_DEMO = "urn:oid:1.2.250.1.213.1.4.11"
BILLING_NIR = "urn:oid:1.2.250.1.213.1.4.13"
BILLING_NIA = "urn:oid:1.2.250.1.213.1.4.14"
REAL_INS = frozenset({INS_NIR, INS_NIA})
INVENTED_INS = frozenset({INS_TEST, INS_DEMO})

RULES: dict[str, Rule] = {
    **dict.fromkeys((INS_NIR, INS_NIA, INS_TEST, INS_DEMO, BILLING_NIR, BILLING_NIA), check_nir),
    "https://rpps.esante.gouv.fr": check_rpps,
    "urn:oid:1.2.250.1.71.4.2.1": check_idnps,
    "https://adeli.esante.gouv.fr": check_adeli,
    "https://finess.esante.gouv.fr": check_finess,
    # The system of the first version of the Annuaire Santé interface.
    "http://finess.sante.gouv.fr": check_finess,
    "https://sirene.fr": check_sirene,
    "urn:oid:1.2.250.1.71.4.2.2": check_idnatstruct,
    "https://identifiant-medicosocial-localusager.esante.gouv.fr": partial(check_local_id, kind=""),
    "https://identifiant-medicosocial-sejour.esante.gouv.fr": partial(check_local_id, kind="SEJOUR"),
    "https://identifiant-medicosocial-projetpersonnalise.esante.gouv.fr": partial(check_local_id, kind="PPER"),
    "https://identifiant-medicosocial-evenement.esante.gouv.fr": partial(check_local_id, kind="EVN"),
}
