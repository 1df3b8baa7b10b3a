"""What keeps a SearchParameter resource from being indexed and searched by.

https://hl7.org/fhir/R4/searchparameter.html

A definition is looked at when it is written, as long as it is `active`: drafts and retired ones are kept and not used.
Each finding names the element and what would do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fhir_server.errors import FhirError
from fhir_server.fhirpath import Environment, compile_expression
from fhir_server.fhirpath.parser import parse
from fhir_server.index import composite
from fhir_server.index.expressions import alternatives
from fhir_server.index.parameter import INDEXABLE
from fhir_server.index.static_types import NotIndexable, yielded_types
from fhir_server.outcome import Issue

if TYPE_CHECKING:
    from fhir_server.index.registry import SearchParameterRegistry

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_MEANING = ("code", "base", "type", "expression", "target", "component")
_ROOTS = frozenset({"Resource", "DomainResource"})


def check_definition(resource: Mapping[str, Any], registry: SearchParameterRegistry) -> list[Issue]:
    """Returns why a SearchParameter that is valid R4 cannot be used; nothing where it can or is not active."""
    if resource.get("status") != "active":
        return []
    return list(_find_faults(resource, registry))


def usable_definitions(
    candidates: Iterable[Mapping[str, Any]], registry: SearchParameterRegistry
) -> list[Mapping[str, Any]]:
    """Returns the active SearchParameters of packages that can be used: of several with one code the first.

    `registry` is asked and has afterwards what it had. The others are left aside: an installed package cannot keep a
    server from starting.
    """
    usable: list[Mapping[str, Any]] = []
    for resource in candidates:
        if resource.get("status") != "active" or not _is_whole(resource):
            continue
        registry.adopt(usable)
        if not check_definition(resource, registry):
            usable.append(resource)
    registry.adopt(())
    return usable


def _is_whole(resource: Mapping[str, Any]) -> bool:
    """True where the elements that R4 asks for are there, in the shape that the checks count on."""
    texts = all(isinstance(resource.get(name), str) for name in ("url", "code", "type"))
    return texts and isinstance(resource.get("base"), list)


def is_same_meaning(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where two definitions find the same under the same code."""
    return all(one.get(name) == other.get(name) for name in _MEANING)


def _find_faults(resource: Mapping[str, Any], registry: SearchParameterRegistry) -> Iterator[Issue]:
    code, kind = resource["code"], resource["type"]
    if not _CODE.fullmatch(code):
        yield _issue(
            "code",
            "value",
            f"The code `{code}` cannot stand in a URL as a search parameter: a letter, then letters, digits and `-`,"
            " 64 at most.",
            f"Le code `{code}` ne peut pas servir de paramètre dans une URL : une lettre, puis des lettres, chiffres et"
            " `-`, 64 au plus.",
        )
        return
    yield from _clashes(resource, registry)
    if kind not in INDEXABLE and kind != "composite":
        listed = "`, `".join((*INDEXABLE, "composite"))
        yield _issue(
            "type",
            "not-supported",
            f"A search parameter of type `{kind}` cannot be added. Valid: `{listed}`.",
            f"Un paramètre de recherche de type `{kind}` ne peut pas être ajouté. Valides : `{listed}`.",
        )
        return
    if "target" in resource and kind != "reference":
        yield _issue(
            "target",
            "business-rule",
            f"`target` belongs to parameters of type `reference`; this one is of type `{kind}`.",
            f"`target` n'a de sens que pour le type `reference` ; ce paramètre est de type `{kind}`.",
        )
    if not resource.get("expression"):
        yield _issue(
            "expression",
            "required",
            "Without `expression` there is nothing to index.",
            "Sans `expression`, il n'y a rien à indexer.",
        )
        return
    if kind == "composite":
        yield from _check_components(resource, registry)
        return
    for base in resource["base"]:
        yield from _check_expression(resource["expression"], kind, base)


def _clashes(resource: Mapping[str, Any], registry: SearchParameterRegistry) -> Iterator[Issue]:
    url, code = resource["url"], resource["code"]
    shipped = registry.shipped(url)
    if shipped is not None:
        if not is_same_meaning(resource, shipped):
            yield _issue(
                "url",
                "business-rule",
                f"`{url}` is a definition that this server is shipped with: give yours another `url` and `code`.",
                f"`{url}` est une définition livrée avec ce serveur : donnez à la vôtre d'autres `url` et `code`.",
            )
        return
    for base in resource["base"]:
        defined = registry.defined_by(base, code)
        if defined is not None and defined != url:
            yield _issue(
                "code",
                "duplicate",
                f"`{base}` has a search parameter `{code}` already, defined by `{defined}`: choose another code.",
                f"`{base}` a déjà un paramètre `{code}`, défini par `{defined}` : choisissez un autre code.",
            )


def _check_components(resource: Mapping[str, Any], registry: SearchParameterRegistry) -> Iterator[Issue]:
    """Yields what is wrong with the parts of a composite parameter."""
    components = resource.get("component", ())
    if len(components) < 2:
        yield _issue(
            "component",
            "required",
            "A composite parameter has two or more components.",
            "Un paramètre composite a deux composants ou plus.",
        )
        return
    for base in resource["base"]:
        known = registry.indexed(base)
        urls = {parameter.url for parameter in known.values()}
        unknown = [each["definition"] for each in components if each["definition"] not in urls]
        for definition in unknown:
            yield _issue(
                "component",
                "not-found",
                f"`{definition}` defines no search parameter of `{base}`.",
                f"`{definition}` ne définit aucun paramètre de recherche de `{base}`.",
            )
        if not unknown and not composite.repetitions(base, resource, known):
            yield _issue(
                "component",
                "not-supported",
                f"The components of `{resource['expression']}` cannot be indexed together: on `{base}`, the expression"
                " and those of the components must be plain paths to what their definitions index.",
                f"Les composants de `{resource['expression']}` ne peuvent pas être indexés ensemble : sur `{base}`,"
                " l'expression et celles des composants doivent être des chemins simples vers ce que leurs définitions"
                " indexent.",
            )


def _check_expression(expression: str, kind: str, base: str) -> Iterator[Issue]:
    """Yields what is wrong with an expression, as far as the definitions of its base tell."""
    try:
        found = alternatives(expression, base)
        if not found:
            yield _issue(
                "expression",
                "business-rule",
                f"No part of `{expression}` begins at `{base}`, which `base` names.",
                f"Aucune partie de `{expression}` ne part de `{base}`, cité par `base`.",
            )
        for branch in found:
            tree = parse(branch.text)
            yielded = None if base in _ROOTS and branch.path is None else yielded_types(tree, base)
            if yielded is not None and not yielded & INDEXABLE[kind]:
                yield _wrong_type(branch.text, kind, yielded)
            compile_expression(branch.text, base).evaluate({"resourceType": base}, Environment())
    except NotIndexable as reason:
        yield _issue(
            "expression",
            "not-supported",
            f"`{expression}` cannot be indexed: {reason.english}.",
            f"`{expression}` ne peut pas être indexée : {reason.french}.",
        )
    except FhirError as error:
        yield _issue("expression", "invalid", error.english, error.french)


def _wrong_type(text: str, kind: str, yielded: frozenset[str]) -> Issue:
    have, want = "`, `".join(sorted(yielded)), "`, `".join(sorted(INDEXABLE[kind] - {"Extension"}))
    return _issue(
        "expression",
        "business-rule",
        f"`{text}` yields `{have}`; a parameter of type `{kind}` is made of `{want}`.",
        f"`{text}` donne `{have}` ; un paramètre de type `{kind}` se fait de `{want}`.",
    )


def _issue(element: str, code: str, english: str, french: str) -> Issue:
    return Issue("error", code, "search-parameter-unusable", english, french, f"SearchParameter.{element}")
