"""Targets of references at hand: contained resources and the entries of a Bundle.

https://hl7.org/fhir/R4/bundle.html#references: an absolute reference is looked up among the full URLs; a relative one
is first made absolute by the base of the full URL of the entry that it stands in. Where that is no RESTful URL there
is no base, and `Type/id` finds the entry with that type and id. A reference to a version finds that version only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_server.spec.definitions import resource_types

Resolve = Callable[[str], dict[str, Any] | None]


def nothing_at_hand(_literal: str) -> dict[str, Any] | None:
    return None


class Resolver:
    """The look-up of references inside one resource; `outside` finds what neither it nor its Bundle holds.

    `base` is that of the Bundle's entry which the resource is, with a `/` at its end; empty without one.
    """

    __slots__ = ("_base", "_bundle", "_contained", "_outside", "_resource")

    def __init__(self, resource: dict[str, Any], outside: Resolve = nothing_at_hand, base: str = "") -> None:
        self._resource = resource
        self._outside = outside
        self._base = base
        self._contained: dict[str, dict[str, Any]] | None = None
        self._bundle = BundleEntries(resource) if resource.get("resourceType") == "Bundle" else None

    def __call__(self, literal: str) -> dict[str, Any] | None:
        if self._bundle is not None and (found := self._bundle.find(literal)) is not None:
            return found
        if literal[:1] == "#":
            return self._inner(literal[1:])
        return self._outside(absolute(literal, self._base))

    def _inner(self, id_: str) -> dict[str, Any] | None:
        if not id_:
            return self._resource
        if self._contained is None:
            self._contained = contained_resources(self._resource)
        return self._contained.get(id_)

    @property
    def is_in_bundle(self) -> bool:
        """True where a Bundle holds the resource, so that a reference to another entry could be followed."""
        return self._bundle is not None or (type(self._outside) is Resolver and self._outside.is_in_bundle)

    def inside(self, resource: dict[str, Any]) -> Resolver:
        """Returns the look-up of the references inside a resource that this one holds as an entry."""
        base = self._bundle.base_of(resource) if self._bundle is not None else ""
        if not base and "contained" not in resource and resource.get("resourceType") != "Bundle":
            return self
        return Resolver(resource, self, base)


def resolver_inside(resolve: Resolve, resource: dict[str, Any]) -> Resolve:
    """Returns the look-up for a resource that stands in another, as its entry or parameter."""
    return resolve.inside(resource) if type(resolve) is Resolver else Resolver(resource, resolve)


def absolute(literal: str, base: str) -> str:
    """Returns a relative reference (`Type/id`) as an absolute one, where there is a base to do so."""
    return base + literal if base and literal.partition("/")[0] in resource_types() else literal


def restful_base(full_url: str) -> str:
    """Returns the base of a RESTful URL, with its `/`: `http://x/fhir/` of `http://x/fhir/Patient/1`; else nothing."""
    parts = full_url.rsplit("/", 2)
    is_restful = len(parts) == 3 and full_url.startswith(("http://", "https://")) and parts[1] in resource_types()
    return f"{parts[0]}/" if is_restful else ""


def contained_resource(resource: dict[str, Any], id_: str) -> dict[str, Any] | None:
    """Returns the contained resource with an id; the resource itself for an empty id."""
    return contained_resources(resource).get(id_) if id_ else resource


def contained_resources(resource: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the contained resources by id, of two with the same id the first."""
    contained = resource.get("contained")
    found: dict[str, dict[str, Any]] = {}
    for one in contained if type(contained) is list else ():
        if type(one) is dict and type(one.get("id")) is str and type(one.get("resourceType")) is str:
            found.setdefault(one["id"], one)
    return found


class BundleEntries:
    """The resources of a Bundle by full URL, by its version, and by `Type/id`; read when first asked for."""

    __slots__ = ("_bases", "_bundle", "_found")

    def __init__(self, bundle: dict[str, Any]) -> None:
        self._bundle = bundle
        self._found: dict[str, dict[str, Any]] | None = None
        self._bases: dict[int, str] = {}

    def find(self, literal: str) -> dict[str, Any] | None:
        if self._found is None:
            self._found = self._read()
        return self._found.get(literal)

    def base_of(self, resource: dict[str, Any]) -> str:
        """Returns the base of the entry that holds `resource`; empty where its full URL has none."""
        if self._found is None:
            self._found = self._read()
        return self._bases.get(id(resource), "")

    def _read(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        entries = self._bundle.get("entry")
        for entry in entries if type(entries) is list else ():
            resource = entry.get("resource") if type(entry) is dict else None
            if type(resource) is not dict or type(resource.get("resourceType")) is not str:
                continue
            if type(resource.get("id")) is str:
                found.setdefault(f"{resource['resourceType']}/{resource['id']}", resource)
            full_url = entry.get("fullUrl")
            if type(full_url) is str:
                found[full_url] = resource
                if base := restful_base(full_url):
                    self._bases[id(resource)] = base
                meta = resource.get("meta")
                if type(meta) is dict and type(meta.get("versionId")) is str:
                    found[f"{full_url}/_history/{meta['versionId']}"] = resource
        return found
