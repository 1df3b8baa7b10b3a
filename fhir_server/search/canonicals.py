"""Relations through canonical references, such as `QuestionnaireResponse.questionnaire`.

https://hl7.org/fhir/R4/references.html#canonical

A reference with a version means that version, one without means every version of the resource with that URL. An index
document holds a versioned reference with and without its version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.index import Condition
from fhir_server.index.entries import capped, prefix_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhir_server.index import SearchParameter, SearchParameterRegistry

_BY_URL = frozenset({"canonical", "uri"})


def is_canonical(parameter: SearchParameter, target: str, registry: SearchParameterRegistry) -> bool:
    """True where the parameter can refer to resources of the type by their `url`."""
    return (not parameter.types or bool(parameter.types & _BY_URL)) and registry.find(target, "url") is not None


def is_literal(parameter: SearchParameter) -> bool:
    """True where the parameter can refer to resources by their type and id."""
    return not parameter.types or bool(parameter.types - _BY_URL)


def references_to(parameter: SearchParameter, documents: Iterable[Mapping[str, Any]]) -> Condition:
    """Returns the condition for a reference to one of the documents, which carry `resource.url` and `.version`."""
    keys: dict[str, None] = {}
    others: dict[str, dict[str, Any]] = {}
    for document in documents:
        url, version = document["resource"].get("url"), document["resource"].get("version")
        for home in parameter.homes if url else ():
            plain = f"{home.code}={url}"
            if version:
                keys[capped(f"{plain}|{version}")] = None
            others[plain] = {"k": capped(plain), "$nor": [prefix_range(f"{plain}|")]}
    return Condition(tuple(keys), tuple(others.values()))


def referred_to(parameter: SearchParameter, documents: Iterable[Mapping[str, Any]]) -> Condition:
    """Returns the condition for the definitions that documents, which carry `k`, refer to through the parameter."""
    keys: dict[str, None] = {}
    others: dict[str, dict[str, Any]] = {}
    starts = tuple(f"{home.code}=" for home in parameter.homes)
    for document in documents:
        texts = [key.partition("=")[2] for key in document["k"] if key.startswith(starts)]
        versioned = {text: text.rpartition("|") for text in texts if "|" in text}
        others |= {text: {"k": f"url={url}", "resource.version": v} for text, (url, _, v) in versioned.items()}
        with_version = {url for url, _, _ in versioned.values()}
        keys |= {f"url={text}": None for text in texts if "|" not in text and text not in with_version}
    return Condition(tuple(keys), tuple(others.values()))
