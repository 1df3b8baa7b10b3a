"""What XML that is not FHIR is told. Rules: https://hl7.org/fhir/R4/xml.html"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from xml.parsers import expat

from fhir_server.errors import InvalidContent, MalformedContent
from fhir_server.outcome import Issue
from fhir_server.spec.xml_shapes import FHIR, Slot


def not_xml(error: expat.ExpatError) -> MalformedContent:
    reason = expat.ErrorString(error.code)
    return MalformedContent(
        f"The body is not XML: {reason}, line {error.lineno}, column {error.offset + 1}.",
        f"Le corps de la requête n’est pas du XML : {reason}, ligne {error.lineno}, colonne {error.offset + 1}.",
        rule="xml",
    )


def not_utf8() -> MalformedContent:
    return MalformedContent(
        "The XML is in UTF-16; FHIR is UTF-8.", "Le XML est en UTF-16 ; FHIR est en UTF-8.", rule="xml"
    )


def document_type() -> InvalidContent:
    return InvalidContent(
        "The XML has a document type declaration (`<!DOCTYPE`), which FHIR does not allow.",
        "Le XML comporte une déclaration de type de document (`<!DOCTYPE`), ce que FHIR ne permet pas.",
        rule="xml-doctype",
    )


def too_deep(limit: int) -> InvalidContent:
    return InvalidContent(
        f"The content is nested deeper than {limit} levels.",
        f"Le contenu est imbriqué sur plus de {limit} niveaux.",
        rule="xml-depth",
    )


def not_a_resource(name: str) -> MalformedContent:
    namespace, local = _parts(name)
    if namespace != FHIR:
        found = f"`{namespace}`" if namespace else "none"
        trouve = f"`{namespace}`" if namespace else "aucun"
        return MalformedContent(
            f"The root element `{local}` must be in the namespace `{FHIR}`; its namespace is {found}.",
            f"L’élément racine `{local}` doit être dans l’espace de noms `{FHIR}` ; le sien : {trouve}.",
            rule="xml-namespace",
        )
    return MalformedContent(
        f"The root element `{local}` is not a resource type of R4.",
        f"L’élément racine `{local}` n’est pas un type de ressource de R4.",
        rule="xml-resource-type",
    )


def unknown_element(name: str, place: str, slots: dict[str, Slot]) -> Issue:
    namespace, local = _parts(name)
    near = get_close_matches(local, {slot.key for slot in slots.values()}, n=3, cutoff=0.6)
    hint = f" Near it: {_quoted(near)}." if near else ""
    piste = f" Proche : {_quoted(near)}." if near else ""
    if namespace != FHIR:
        hint, piste = f" Its namespace is `{namespace}`.", f" Son espace de noms est `{namespace}`."
    return _structure(
        "xml-element",
        f"`{place}` has no element `{local}`.{hint}",
        f"`{place}` n’a pas d’élément `{local}`.{piste}",
        f"{place}.{local}",
    )


def unknown_attribute(name: str, place: str, allowed: Iterable[str]) -> Issue:
    local = name.split(" ")[1] if " " in name else name
    names = _quoted(sorted(allowed))
    return _structure(
        "xml-attribute",
        f"`{place}` has no attribute `{local}` in XML." + (f" Allowed: {names}." if names else ""),
        f"`{place}` n’a pas d’attribut `{local}` en XML." + (f" Permis : {names}." if names else ""),
        place,
    )


def repeated(key: str, place: str) -> Issue:
    return _structure(
        "xml-repeated",
        f"The element `{key}` may stand only once.",
        f"L’élément `{key}` ne peut figurer qu’une fois.",
        place,
    )


def second_resource(type_name: str, place: str) -> Issue:
    return _structure(
        "xml-repeated",
        f"`{place}` holds one resource; `{type_name}` is a second one.",
        f"`{place}` contient une seule ressource ; `{type_name}` en est une seconde.",
        place,
    )


def empty(place: str, *, is_wrapper: bool) -> Issue:
    if is_wrapper:
        return _structure(
            "xml-empty", f"`{place}` holds no resource.", f"`{place}` ne contient pas de ressource.", place
        )
    return _structure(
        "xml-empty",
        f"`{place}` has neither an attribute `value` nor an extension.",
        f"`{place}` n’a ni attribut `value` ni extension.",
        place,
    )


def stray_text(text: str, place: str) -> Issue:
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    return _structure(
        "xml-text",
        f"`{place}` holds the text `{shown}`; values stand in the attribute `value`.",
        f"`{place}` contient le texte `{shown}` ; les valeurs se mettent dans l’attribut `value`.",
        place,
    )


def _structure(rule: str, english: str, french: str, place: str) -> Issue:
    return Issue("error", "structure", rule, english, french, place)


def _parts(name: str) -> tuple[str, str]:
    namespace, _, rest = name.partition(" ")
    return (namespace, rest.split(" ")[0]) if rest else ("", name)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
