"""Which value set an operation is about: the one it is called on, one sent with it, or one by its canonical.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fhir_server.conformance import split_canonical
from fhir_server.errors import InvalidContent, ResourceNotFound
from fhir_server.interactions.read import read
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import Parameter
from fhir_server.terminology import Scope
from fhir_server.terminology.problems import unknown_value_set
from fhir_server.terminology.sources import Resource

VALUE_SET_PARAMETERS = (
    Parameter("url", "uri"),
    Parameter("context", "uri"),
    Parameter("valueSet", "ValueSet"),
    Parameter("valueSetVersion", "string"),
)
"""What names the value set where the operation is not called on one."""

_SUPPLEMENT = "http://hl7.org/fhir/StructureDefinition/valueset-supplement"


@dataclass(frozen=True, slots=True)
class AskedValueSet:
    """A value set by its canonical, or itself: `sent`."""

    canonical: str = ""
    sent: Resource | None = None

    @property
    def resources(self) -> Sequence[Resource]:
        """What the engine is to know beside what it has."""
        return () if self.sent is None else (self.sent,)

    def find(self, scope: Scope, systems: Iterable[str] = ()) -> Resource:
        """Returns the value set; raises UnknownValueSet where there is none.

        `systems` are code systems that it is likely to draw on: they are read with it, which spares a round.
        """
        value_sets = [("ValueSet", split_canonical(self.canonical)[0])] if self.canonical else []
        scope.want([*value_sets, *(("CodeSystem", system) for system in systems if system)])
        found = self.sent if self.sent is not None else scope.value_set(self.canonical)
        if found is None:
            raise unknown_value_set(self.canonical, scope.value_set_versions(split_canonical(self.canonical)[0]))
        return found

    def scope(self, scope: Scope, value_set: Resource) -> Scope:
        """Returns the scope in which the value set is read: with the supplements that it says it needs."""
        extensions = value_set.get("extension", ())
        needed = [row["valueCanonical"] for row in extensions if row["url"] == _SUPPLEMENT and "valueCanonical" in row]
        extended = scope.with_supplements(needed)
        extended.require_supplements()
        return extended


async def asked_value_set(invocation: Invocation) -> AskedValueSet:
    """Returns the value set that an operation is called on or that its inputs name.

    Raises InvalidContent unless exactly one is named, ResourceNotFound where that is not here.
    """
    inputs = invocation.inputs
    named = [name for name in ("url", "valueSet", "context") if inputs.one(name) is not None]
    version: str | None = inputs.one("valueSetVersion")
    if version is not None and named != ["url"]:
        raise InvalidContent(
            "`valueSetVersion` is the version of the value set that `url` names: send both.",
            "`valueSetVersion` est la version du jeu de valeurs que désigne `url` : envoyez les deux.",
            rule="value-set-asked",
        )
    if invocation.resource_type is not None and invocation.id_ is not None:
        if named:
            raise _named_twice(invocation.id_, named)
        stored = await read(invocation.repository.store, invocation.resource_type, invocation.id_)
        return AskedValueSet(sent=stored.resource or {})
    if len(named) != 1:
        sent, envoye = (" and ".join(f"`{name}`" for name in named) or "none", " et ".join(named) or "aucun")
        raise InvalidContent(
            "Name one value set: by `url`, by `context` (a profile and its element), as `valueSet`, or in the path"
            f" (`ValueSet/[id]/$…`); {sent} was sent.",
            "Désignez un jeu de valeurs : par `url`, par `context` (un profil et son élément), dans `valueSet`, ou dans"
            f" le chemin (`ValueSet/[id]/$…`) ; reçu : {envoye}.",
            rule="value-set-asked",
        )
    if named == ["valueSet"]:
        return AskedValueSet(sent=inputs.one("valueSet"))
    if named == ["context"]:
        return AskedValueSet(_bound(invocation, inputs.one("context")))
    url: str = inputs.one("url")
    return AskedValueSet(f"{split_canonical(url)[0]}|{version}" if version else url)


def _named_twice(id_: str, named: Sequence[str]) -> InvalidContent:
    listed = ", ".join(f"`{name}`" for name in named)
    return InvalidContent(
        f"The operation is called on `ValueSet/{id_}`: leave {listed} out, or call `ValueSet/$…`.",
        f"L'opération est appelée sur `ValueSet/{id_}` : omettez {listed}, ou appelez `ValueSet/$…`.",
        rule="value-set-asked",
    )


def _bound(invocation: Invocation, context: str) -> str:
    """Returns the canonical of the value set to which an element is bound: `[StructureDefinition url]#[element path]`.

    Raises InvalidContent for a context of another form, ResourceNotFound where there is no such element or binding.
    """
    url, hash_, path = context.partition("#")
    if not hash_ or not path:
        raise InvalidContent(
            f"`context` is the URL of a StructureDefinition, `#`, and the path or id of an element, not `{context}`.",
            "`context` est l'URL d'une StructureDefinition, `#`, et le chemin ou l'id d'un élément, et non"
            f" `{context}`.",
            rule="value-set-context",
        )
    canonical = invocation.repository.terminology.bound_value_set(url, path)
    if canonical is None:
        raise ResourceNotFound(
            f"`context`: no element `{path}` of `{url}` that is bound to a value set is known here.",
            f"`context` : aucun élément `{path}` de `{url}` lié à un jeu de valeurs n'est connu ici.",
            rule="value-set-context",
        )
    return canonical
