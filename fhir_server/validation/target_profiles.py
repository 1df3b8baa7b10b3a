"""What profiles say of references beyond the type of the target: its profile, where it may be, whether with a version.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type.targetProfile

A target is checked where it is at hand, as a contained resource or an entry of the same Bundle. One that claims a
profile in its own `meta` is checked against it where it stands, so not again here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.validation import reference_messages as messages
from fhir_server.validation.bundles import Resolver, resolver_inside
from fhir_server.validation.findings import MAX_DEPTH, Check, Context, Findings


def target_profile_check(profiles: Mapping[str, Sequence[str]], find_check: Callable[[str], Check]) -> Check:
    """Returns the check that a target fulfils one of the `profiles` for its type; types without any are passed over."""

    def check_target_profile(value: Any, context: Context) -> Findings | None:
        literal = value.get("reference") if type(value) is dict else None
        if type(literal) is not str or (target := context.resolve(literal)) is None:
            return None
        urls = profiles.get(str(target.get("resourceType")))
        if not urls or _claims_one(target, urls):
            return None
        if any(_fits(target, url, find_check, literal, context) for url in urls):
            return None
        return [messages.target_profile(literal, urls)]

    return check_target_profile


def _claims_one(target: dict[str, Any], urls: Sequence[str]) -> bool:
    """True where a resource claims one of the profiles, with or without a version."""
    meta = target.get("meta")
    claimed = meta.get("profile") if type(meta) is dict else None
    if type(claimed) is not list:
        return False
    return any(one in urls or (type(one) is str and split_canonical(one)[0] in urls) for one in claimed)


def _fits(target: dict[str, Any], url: str, find_check: Callable[[str], Check], literal: str, context: Context) -> bool:
    """True where a target fulfils a profile; a target that is being asked about already does, for now."""
    key = (id(target), url)
    known = context.verdicts.get(key)
    if known is None:
        if context.depth >= MAX_DEPTH:
            return True
        context.verdicts[key] = True
        is_contained = literal[:1] == "#"
        root = context.root if is_contained else target
        resolve = context.resolve if is_contained else resolver_inside(context.resolve, target)
        inner = context.of(target, root, resolve)
        inner.depth += 1
        found = find_check(url)(target, inner)
        known = context.verdicts[key] = not found or all(finding.severity != "error" for finding in found)
    return known


def aggregation_check(modes: Sequence[str]) -> Check:
    """Returns the check of where the target is: contained, elsewhere, or in the same Bundle.

    Outside of a Bundle nobody can see whether the target will be in one.
    """
    allowed = frozenset(modes)

    def check_aggregation(value: Any, context: Context) -> Findings | None:
        literal = value.get("reference") if type(value) is dict else None
        if type(literal) is not str:
            return None
        if literal[:1] == "#":
            return None if "contained" in allowed else [messages.aggregation(literal, modes)]
        if "referenced" in allowed:
            return None
        if "bundled" not in allowed:
            return [messages.aggregation(literal, modes)]
        is_in_bundle = type(context.resolve) is Resolver and context.resolve.is_in_bundle
        if not is_in_bundle or context.resolve(literal) is not None:
            return None
        return [messages.aggregation(literal, modes)]

    return check_aggregation


def versioning_check(rule: str) -> Check:
    """Returns the check that a reference names a version (`specific`) or none (`independent`)."""
    wants_version = rule == "specific"

    def check_versioning(value: Any, _context: Context) -> Findings | None:
        literal = value.get("reference") if type(value) is dict else None
        if type(literal) is not str or literal[:1] == "#" or literal.startswith("urn:"):
            return None
        if ("/_history/" in literal) == wants_version:
            return None
        return [messages.versioning(literal, wants_version)]

    return check_versioning
