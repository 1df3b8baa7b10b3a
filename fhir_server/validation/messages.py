"""The sentences of findings about R4's own rules, in English and French; `PLACE` stands for the place.

Codes are R4's issue types: https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from fhir_server.validation.findings import MAX_DEPTH, PLACE, Finding

MAX_CHOICES = 12
"""Valid choices that a sentence lists."""
MAX_VALUE_LENGTH = 60

FORMATS = {
    "base64Binary": ("base64 with its padding", "du base64 avec son remplissage"),
    "boolean": ("`true` or `false`, without quotes", "`true` ou `false`, sans guillemets"),
    "canonical": ("a URL without white space", "une URL sans espace"),
    "code": (
        "a code: no white space at either end, single spaces inside",
        "un code : sans espace aux extrémités, espaces simples à l’intérieur",
    ),
    "date": (
        "a date of the calendar: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`",
        "une date du calendrier : `AAAA`, `AAAA-MM` ou `AAAA-MM-JJ`",
    ),
    "dateTime": (
        "a date of the calendar, or a date with time and zone such as `2024-02-29T14:30:00+01:00`",
        "une date du calendrier, ou une date avec heure et fuseau comme `2024-02-29T14:30:00+01:00`",
    ),
    "decimal": ("a number, without quotes", "un nombre, sans guillemets"),
    "id": (
        "1 to 64 letters without accents, digits, `-` and `.`",
        "1 à 64 lettres sans accent, chiffres, `-` et `.`",
    ),
    "instant": (
        "a date with time, seconds and zone such as `2024-02-29T14:30:00+01:00`",
        "une date avec heure, secondes et fuseau comme `2024-02-29T14:30:00+01:00`",
    ),
    "integer": (
        "a whole number from -2147483648 to 2147483647, without quotes",
        "un nombre entier de -2147483648 à 2147483647, sans guillemets",
    ),
    "markdown": ("text that is not empty, without control characters", "un texte non vide, sans caractère de contrôle"),
    "oid": ("an OID such as `urn:oid:1.2.3`", "un OID comme `urn:oid:1.2.3`"),
    "positiveInt": (
        "a whole number from 1 to 2147483647, without quotes",
        "un nombre entier de 1 à 2147483647, sans guillemets",
    ),
    "string": (
        "text that is not empty, without control characters, of 1 MB at most",
        "un texte non vide, sans caractère de contrôle, de 1 Mo au plus",
    ),
    "time": ("a time such as `14:30:00`", "une heure comme `14:30:00`"),
    "unsignedInt": (
        "a whole number from 0 to 2147483647, without quotes",
        "un nombre entier de 0 à 2147483647, sans guillemets",
    ),
    "uri": ("a URI without white space", "une URI sans espace"),
    "url": ("a URL without white space", "une URL sans espace"),
    "uuid": (
        "a UUID in small letters such as `urn:uuid:c757873d-ec9a-4326-a141-556f43239520`",
        "un UUID en minuscules comme `urn:uuid:c757873d-ec9a-4326-a141-556f43239520`",
    ),
    "xhtml": ("XHTML inside one `div`", "du XHTML dans un seul `div`"),
}
"""What a value of each primitive looks like, in English and French."""


def quoted(values: Iterable[str], limit: int = MAX_CHOICES) -> str:
    """Returns names in backticks, shortened to `limit` of them."""
    names = list(values)
    text = ", ".join(f"`{name}`" for name in names[:limit])
    return f"{text} …" if len(names) > limit else text


def shown(value: Any) -> str:
    """Returns a value as a sentence shows it: short, without backticks that would end its quotation."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif value is None:
        text = "null"
    elif isinstance(value, dict):
        text = "{…}"
    elif isinstance(value, list):
        text = "[…]"
    else:
        text = str(value)
    text = text.replace("`", "'").replace(PLACE, "?")
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"


def kind_of(value: Any) -> tuple[str, str]:
    """Returns what JSON calls a value, in English and French."""
    if value is None:
        return "null", "null"
    if isinstance(value, bool):
        return "a boolean", "un booléen"
    if isinstance(value, int | Decimal):
        return "a number", "un nombre"
    if isinstance(value, str):
        return "a string", "une chaîne"
    if isinstance(value, list):
        return "an array", "un tableau"
    return "an object", "un objet"


def shape(expected: tuple[str, str], value: Any) -> Finding:
    """The value is of another JSON shape than the element asks for."""
    kind = kind_of(value)
    return Finding(
        "structure",
        "json-shape",
        f"`{PLACE}` must be {expected[0]}, but {kind[0]} is there.",
        f"`{PLACE}` doit être {expected[1]} ; on y trouve {kind[1]}.",
    )


def wrong_object(value: Any) -> Finding:
    """Something else where an object is due."""
    if value is None:
        return empty("null")
    if isinstance(value, list):
        return not_single(value)
    return shape(("an object", "un objet"), value)


def not_array(value: Any) -> Finding:
    """One value where the element repeats: R4 wants an array even for one. https://hl7.org/fhir/R4/json.html#repeat"""
    return shape(("an array, because this element may repeat", "un tableau, car cet élément peut se répéter"), value)


def not_single(value: Any) -> Finding:
    return shape(("one value without an array, because this element does not repeat",
                  "une seule valeur sans tableau, car cet élément ne se répète pas"), value)  # fmt: skip


def empty(kind: str) -> Finding:
    """An empty object, array or null says nothing and is not allowed. https://hl7.org/fhir/R4/json.html#null"""
    french = {"object": "Un objet vide", "array": "Un tableau vide", "null": "`null`"}[kind]
    english = {"object": "An empty object", "array": "An empty array", "null": "`null`"}[kind]
    return Finding(
        "structure",
        f"empty-{kind}" if kind != "null" else "null-value",
        f"{english} is not allowed at `{PLACE}`: leave the element out.",
        f"{french} n’est pas permis à `{PLACE}` : omettez l’élément.",
    )


def blank() -> Finding:
    """Text of white space alone is lost where XML is read. https://hl7.org/fhir/R4/datatypes.html#string"""
    return Finding(
        "value",
        "string-blank",
        f"`{PLACE}` is white space only; text should say something.",
        f"`{PLACE}` n’est fait que d’espaces ; un texte devrait dire quelque chose.",
        "warning",
    )


def no_content() -> Finding:
    return Finding(
        "invariant",
        "ele-1",
        f"`{PLACE}` must have a value or children, not an id alone (ele-1).",
        f"`{PLACE}` doit avoir une valeur ou des enfants, pas seulement un id (ele-1).",
    )


def misaligned(name: str, values: int, extensions: int) -> Finding:
    return Finding(
        "structure",
        "primitive-array-misaligned",
        f"`{name}` has {values} entries and `_{name}` has {extensions}: fill the shorter one up with `null`.",
        f"`{name}` a {values} entrées et `_{name}` en a {extensions} : complétez le plus court par `null`.",
    )


def primitive(type_name: str, value: Any) -> Finding:
    """The value breaks the syntax of its primitive type."""
    if value is None:
        return empty("null")
    if isinstance(value, list):
        return not_single(value)
    english, french = FORMATS[type_name]
    if isinstance(value, dict):
        return shape((f"a `{type_name}`: {english}", f"un `{type_name}` : {french}"), value)
    if value == "":
        return Finding(
            "value",
            "empty-string",
            f"An empty string is not allowed at `{PLACE}`: leave the element out.",
            f"Une chaîne vide n’est pas permise à `{PLACE}` : omettez l’élément.",
        )
    return Finding(
        "value",
        f"primitive-{type_name.lower()}",
        f"`{shown(value)}` at `{PLACE}` is not a `{type_name}`; it must be {english}.",
        f"`{shown(value)}` à `{PLACE}` n’est pas un `{type_name}` ; il faut {french}.",
    )


def unknown_element(name: str, known: Sequence[str]) -> Finding:
    """The element does not exist here; names the nearest, else all that do."""
    near = get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        english, french = f"Did you mean {quoted(near)}?", f"Vouliez-vous dire {quoted(near)} ?"
    else:
        english, french = f"Valid here: {quoted(known)}.", f"Valides ici : {quoted(known)}."
    return Finding(
        "structure",
        "unknown-element",
        f"The element `{PLACE}` does not exist in R4. {english}",
        f"L’élément `{PLACE}` n’existe pas en R4. {french}",
    )


def choice_type(name: str, allowed: Sequence[str]) -> Finding:
    return Finding(
        "structure",
        "choice-type",
        f"`{name}` is not one of the types of `{PLACE}`. Valid: {quoted(allowed, 60)}.",
        f"`{name}` n’est pas un des types de `{PLACE}`. Valides : {quoted(allowed, 60)}.",
    )


def several_choices(names: Sequence[str]) -> Finding:
    return Finding(
        "structure",
        "choice-multiple",
        f"`{PLACE}` may have one type only, but {quoted(names)} are there.",
        f"`{PLACE}` ne peut avoir qu’un seul type ; on y trouve {quoted(names)}.",
    )


def missing(choices: Sequence[str] = ()) -> Finding:
    """A required element is absent; for a choice, its names are listed."""
    english = f" as one of {quoted(choices)}" if choices else ""
    french = f", sous l’un des noms {quoted(choices)}" if choices else ""
    return Finding(
        "required",
        "cardinality-min",
        f"`{PLACE}` is required{english}.",
        f"`{PLACE}` est obligatoire{french}.",
    )


def too_many(maximum: int, count: int) -> Finding:
    return Finding(
        "structure",
        "cardinality-max",
        f"`{PLACE}` may be there {maximum} time(s) at most; it is there {count} time(s).",
        f"`{PLACE}` peut être présent {maximum} fois au plus ; il l’est {count} fois.",
    )


def too_deep() -> Finding:
    return Finding(
        "too-long",
        "depth",
        f"Elements are nested more than {MAX_DEPTH} levels deep at `{PLACE}`.",
        f"Les éléments sont imbriqués sur plus de {MAX_DEPTH} niveaux à `{PLACE}`.",
    )


def unknown_resource_type(value: Any, near: Sequence[str]) -> Finding:
    english = f" Did you mean {quoted(near)}?" if near else ""
    french = f" Vouliez-vous dire {quoted(near)} ?" if near else ""
    return Finding(
        "structure",
        "resource-type-unknown",
        f"`resourceType` at `{PLACE}` must name a resource type of R4; `{shown(value)}` is none.{english}",
        f"`resourceType` à `{PLACE}` doit nommer un type de R4 ; `{shown(value)}` n’en est pas un.{french}",
    )


def target_type(found: str, allowed: Sequence[str], severity: str = "error") -> Finding:
    return Finding(
        "structure",
        "reference-target-type",
        f"`{PLACE}` may not refer to `{shown(found)}`. Valid targets: {quoted(allowed, 20)}.",
        f"`{PLACE}` ne peut pas désigner `{shown(found)}`. Cibles valides : {quoted(allowed, 20)}.",
        severity,
    )


def reference_type_differs(literal: str, stated: str) -> Finding:
    return Finding(
        "structure",
        "reference-type-differs",
        f"The reference at `{PLACE}` points to `{shown(literal)}`, but its `type` says `{shown(stated)}`.",
        f"La référence à `{PLACE}` désigne `{shown(literal)}`, mais son `type` dit `{shown(stated)}`.",
    )


def contained_missing(literal: str) -> Finding:
    return Finding(
        "invariant",
        "ref-1",
        f"`{PLACE}` refers to `{shown(literal)}`, but no contained resource has this id (ref-1).",
        f"`{PLACE}` désigne `{shown(literal)}`, mais aucune ressource incluse n’a cet id (ref-1).",
    )


def narrative(english: str, french: str, rule: str, severity: str = "error") -> Finding:
    return Finding("invariant", rule, f"`{PLACE}`: {english}", f"`{PLACE}` : {french}", severity)
