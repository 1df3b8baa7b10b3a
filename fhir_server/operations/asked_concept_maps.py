"""Which concept maps `$translate` is about: the one it is called on, one sent with it, one by its URL, or all that fit.

https://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from fhir_server.conformance import split_canonical
from fhir_server.errors import InvalidContent, ResourceNotFound
from fhir_server.interactions.read import read
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import Parameter
from fhir_server.terminology import Composition, Scope
from fhir_server.terminology.sources import Resource
from fhir_server.terminology.translation import Match, Wanted
from fhir_server.terminology.versions import newest

MAP_PARAMETERS = (
    Parameter("url", "uri"),
    Parameter("conceptMap", "ConceptMap"),
    Parameter("conceptMapVersion", "string"),
    Parameter("source", "uri"),
    Parameter("target", "uri"),
)


@dataclass(frozen=True, slots=True)
class AskedConceptMaps:
    """One map by its canonical, or `candidates` among which those from `source` into `target` are meant."""

    canonical: str = ""
    candidates: Sequence[Resource] = ()
    source: str = ""
    target: str = ""
    systems: Collection[str] = ()
    is_reverse: bool = False

    def find(self, scope: Scope) -> list[Resource]:
        """Returns the maps; raises ResourceNotFound where one is named and not known."""
        if not self.canonical:
            return [each for each in self.candidates if self._fits(each)]
        found = scope.concept_map(self.canonical)
        if found is None:
            raise ResourceNotFound(
                f"There is no concept map `{self.canonical}` here; `GET ConceptMap` lists those there are.",
                f"Il n'y a pas ici de table de correspondance `{self.canonical}` ; voyez `GET ConceptMap`.",
                rule="concept-map-unknown",
            )
        return [found]

    def is_wanted(self, scope: Scope, match: Match) -> bool:
        """False where a translation is not in the value set that is asked for."""
        value_set = scope.value_set(self.target) if self.target and match.code else None
        return value_set is None or Composition(scope, value_set).find(match.system, match.code) is not None

    def nothing_known(self, language: str) -> str:
        """Returns the message that no map fits."""
        listed = ", ".join(f"`{system}`" for system in sorted(self.systems))
        if language == "en":
            return f"No concept map here is about {listed} with this source and target."
        return f"Aucune table de correspondance ne porte ici sur {listed} avec cette source et cette cible."

    def _fits(self, concept_map: Resource) -> bool:
        from_, to = ("target", "source") if self.is_reverse else ("source", "target")
        return all(
            not asked or _end(concept_map, end) in ("", split_canonical(asked)[0])
            for end, asked in ((from_, self.source), (to, self.target))
        )


async def asked_concept_maps(invocation: Invocation, systems: Collection[str], wanted: Wanted) -> AskedConceptMaps:
    """Returns the maps that are asked, for codes of `systems`.

    Raises InvalidContent where several are named, ResourceNotFound for an id that is not here.
    """
    inputs = invocation.inputs
    version: str = inputs.one("conceptMapVersion") or ""
    named = [name for name in ("url", "conceptMap") if inputs.one(name) is not None]
    _check_named(invocation, named, version)
    source, target = [await _value_set(invocation, name) for name in ("source", "target")]
    asked = AskedConceptMaps(target=target, systems=systems, is_reverse=wanted.is_reverse)
    if invocation.resource_type is not None and invocation.id_ is not None:
        stored = await read(invocation.repository.store, invocation.resource_type, invocation.id_)
        return replace(asked, candidates=[stored.resource or {}])
    if named == ["conceptMap"]:
        return replace(asked, candidates=[inputs.one("conceptMap")])
    if named == ["url"]:
        url, of_url = split_canonical(inputs.one("url"))
        return replace(asked, canonical=f"{url}|{version or of_url}".rstrip("|"))
    sent = [each for each in inputs.all("tx-resource") if each["resourceType"] == "ConceptMap"]
    stored_maps = await invocation.repository.definitions.concept_maps(systems, by_target=wanted.is_reverse)
    packed = invocation.repository.terminology.package_maps(systems, by_target=wanted.is_reverse)
    return replace(asked, candidates=_first([_newest(sent), _newest(stored_maps), packed]), source=source)


def _check_named(invocation: Invocation, named: Sequence[str], version: str) -> None:
    on_instance = [f"ConceptMap/{invocation.id_}"] if invocation.id_ is not None else []
    several = [*on_instance, *named]
    if len(several) > 1:
        listed, liste = " and ".join(f"`{name}`" for name in several), " et ".join(f"`{name}`" for name in several)
        raise InvalidContent(
            f"`$translate` takes one concept map; {listed} name several.",
            f"`$translate` admet une table de correspondance ; {liste} en désignent plusieurs.",
            rule="concept-map-asked",
        )
    if version and named != ["url"]:
        raise InvalidContent(
            "`conceptMapVersion` is the version of the map that `url` names: send both.",
            "`conceptMapVersion` est la version de la table que désigne `url` : envoyez les deux.",
            rule="concept-map-asked",
        )


async def _value_set(invocation: Invocation, name: str) -> str:
    """Returns the canonical of a value set that is named by canonical, by `ValueSet/[id]` or by its id."""
    named: str = invocation.inputs.one(name) or ""
    if not named or ":" in named:
        return named
    stored = await read(invocation.repository.store, "ValueSet", named.removeprefix("ValueSet/"))
    return str((stored.resource or {}).get("url", ""))


def _first(sources: Sequence[Sequence[Resource]]) -> list[Resource]:
    """Returns each map once, from the first source that has its URL."""
    found: dict[str, Resource] = {}
    for number, each in enumerate(each for source in sources for each in source):
        found.setdefault(each.get("url", f"#{number}"), each)
    return list(found.values())


def _newest(maps: Sequence[Resource]) -> list[Resource]:
    """Returns the newest version of each map, in order; maps without URL are each their own."""
    by_url: dict[str, list[Resource]] = {}
    for number, each in enumerate(maps):
        by_url.setdefault(each.get("url", f"#{number}"), []).append(each)
    chosen = [newest(versions, lambda row: str(row.get("version", ""))) for versions in by_url.values()]
    return [each for each in chosen if each is not None]


def _end(concept_map: Resource, end: str) -> str:
    """Returns the value set that a map goes from (`source`) or to (`target`), without version; empty without one."""
    named = concept_map.get(f"{end}Canonical") or concept_map.get(f"{end}Uri") or ""
    return split_canonical(named)[0]
