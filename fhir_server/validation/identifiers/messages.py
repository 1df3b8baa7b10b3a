"""The sentences about identifiers, in English and French. None repeats the identifier: an outcome may end in a log."""

from __future__ import annotations

from fhir_server.validation.findings import PLACE, Finding

CODE = "business-rule"


def wrong_form(rule: str, name: str, form: str, forme: str) -> Finding:
    """Returns the finding about a value that has not the form of its system."""
    return Finding(
        CODE,
        f"{rule}-form",
        f"`{PLACE}` is not a valid {name}: {form}.",
        f"`{PLACE}` n’est pas un {name} valide : {forme}.",
        "warning",
    ).at(".value")


def wrong_key(rule: str, name: str, expected: str, found: str) -> Finding:
    """Returns the finding about a value whose last characters are not the key of the others."""
    return Finding(
        CODE,
        f"{rule}-key",
        f"`{PLACE}`: the key of this {name} must be `{expected}`, not `{found}`; one of its characters is wrong.",
        f"`{PLACE}` : la clé de ce {name} doit être `{expected}`, et non `{found}` ; l’un de ses caractères est faux.",
        "warning",
    ).at(".value")


def wrong_sum(rule: str, name: str) -> Finding:
    """Returns the finding about an establishment of La Poste, whose digits have no key but a sum."""
    return Finding(
        CODE,
        f"{rule}-key",
        f"`{PLACE}`: the digits of a {name} of La Poste must add up to a multiple of 5.",
        f"`{PLACE}` : la somme des chiffres d’un {name} de La Poste doit être un multiple de 5.",
        "warning",
    ).at(".value")


def adeli_ended() -> Finding:
    return Finding(
        "informational",
        "identifier-adeli-ended",
        f"`{PLACE}` is an ADELI number: this register has ended; professionals are known by their RPPS number.",
        f"`{PLACE}` est un numéro ADELI : ce répertoire a pris fin ; un professionnel s’identifie par son numéro RPPS.",
        "information",
    ).at(".value")


def not_qualified(index: int) -> Finding:
    return Finding(
        CODE,
        "ins-not-qualified",
        f"`{PLACE}` is an INS, which may go only with a qualified identity: the extension"
        " `fr-core-identity-reliability` must say `VALI`.",
        f"`{PLACE}` est un INS, qui n’accompagne qu’une identité qualifiée : l’extension"
        " `fr-core-identity-reliability` doit indiquer `VALI`.",
        "warning",
    ).at(f"[{index}]", ".identifier")


BIRTH_PLACE = "fr-core-3"


def qualified_without_ins() -> Finding:
    return Finding(
        CODE,
        "fr-core-1",
        f"`{PLACE}` has a validated identity (`VALI`), so it needs an INS of official use (OID `…4.8` of type"
        " `INS-NIR`, `…4.9`, `…4.10` or `…4.11`).",
        f"`{PLACE}` porte une identité validée (`VALI`) ; il lui faut un INS d’usage officiel (OID `…4.8` de type"
        " `INS-NIR`, `…4.9`, `…4.10` ou `…4.11`).",
        "warning",
    )


def official_not_once(count: int) -> Finding:
    return Finding(
        CODE,
        "fr-core-2",
        f"`{PLACE}` has a validated identity (`VALI`), so exactly one identifier is of official use, not {count}.",
        f"`{PLACE}` porte une identité validée (`VALI`) ; un seul identifiant est d’usage officiel, et non {count}.",
        "warning",
    )


def birth_place_unknown() -> Finding:
    return Finding(
        CODE,
        BIRTH_PLACE,
        f"`{PLACE}` has a validated identity (`VALI`), so its place of birth is known: its COG code is not `99999`.",
        f"`{PLACE}` porte une identité validée (`VALI`) ; son lieu de naissance est connu : son code COG n’est pas"
        " `99999`.",
        "warning",
    )


def invented_ins() -> Finding:
    return Finding(
        CODE,
        "ins-invented",
        f"`{PLACE}` is the OID of test or demonstration identities, and this server is in production.",
        f"`{PLACE}` est l’OID des identités de test ou de démonstration, et ce serveur est en production.",
        "warning",
    ).at(".system")
