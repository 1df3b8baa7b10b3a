"""Runs every check on a resource: R4's own, and those of the profiles that it claims or that the caller asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_server.conformance import DefinitionRegistry, SnapshotError
from fhir_server.outcome import Issue
from fhir_server.terminology import Terminology
from fhir_server.validation import profile_messages as messages
from fhir_server.validation.bundle_rules import check_bundle
from fhir_server.validation.bundles import Resolver
from fhir_server.validation.coding_rules import CodingRules
from fhir_server.validation.extensions import ExtensionRules
from fhir_server.validation.findings import Context, Findings, all_of, asked_by, joined
from fhir_server.validation.identifiers import identifier_rules
from fhir_server.validation.invariants import Invariants
from fhir_server.validation.options import DEFAULT_OPTIONS, ValidationOptions
from fhir_server.validation.profiles import ProfileCheck, ProfileChecks
from fhir_server.validation.quick import with_test
from fhir_server.validation.references import check_contained_ids
from fhir_server.validation.targets import TargetPolicy
from fhir_server.validation.twins import TWINS
from fhir_server.validation.type_checks import TypeChecks

ABOUT_CODES = frozenset({"binding-required", "binding-maximum", "code-unknown"})
"""Rules whose finding may be a mere echo of another one about the same value."""
REFUSED_VALUES = frozenset({"binding-required", "binding-maximum", "fixed-value", "pattern-value"})
"""Rules whose finding says of a value, or of what holds it, that its code may not stand there."""


class Validator:
    """Validates resources; keeps compiled checks, so make one and share it."""

    def __init__(
        self, definitions: DefinitionRegistry, terminology: Terminology, options: ValidationOptions = DEFAULT_OPTIONS
    ) -> None:
        self._invariants = invariants = Invariants(TWINS, options)
        self._definitions = definitions
        self._profiles = ProfileChecks(definitions, terminology, invariants)
        claimed = with_test(self._check_claimed, self._fits_claimed)
        self.options = options
        self.policy = options.policy
        """What a write makes of the findings about profiles; `validate` tells them as they are."""
        if self.policy.imposed:
            claimed = with_test(self._check_imposed, self._fits_imposed)
        extensions = ExtensionRules(definitions, self._profiles.check, options)
        coding_rules = CodingRules(terminology).rules()
        rules = {
            "Resource": all_of([claimed, check_contained_ids]),
            "Bundle": check_bundle,
            **coding_rules,
            **identifier_rules(options.identifiers, self.knows),
        }
        self._types = TypeChecks(definitions, terminology, invariants, self._profiles.check, extensions, rules)
        self._targets = TargetPolicy(definitions, self.policy)

    def validate(self, resource: dict[str, Any], *, profiles: Sequence[str] = ()) -> list[Issue]:
        """Returns every finding about `resource` and the resources inside it; an empty list where all is well.

        Checked are R4's rules, the profiles in `meta.profile` and those in `profiles`; warnings are among the findings.
        """
        return [] if self.is_well(resource, profiles) else self._examined(resource, profiles, looks_first=True)

    def is_well(self, resource: dict[str, Any], profiles: Sequence[str] = ()) -> bool:
        """True where `examine` would find nothing; False says nothing yet."""
        try:
            context = Context(resource, resource, Resolver(resource))
            context.profiles = profiles
            return self._types.is_well(resource, context) and all(
                self._fits(canonical, resource, context) for canonical in profiles
            )
        except Exception:  # content of any shape comes here, and the checks themselves have words for it
            return False

    def examine(self, resource: dict[str, Any], profiles: Sequence[str] = ()) -> list[Issue]:
        """Returns what `validate` does, without the quick look that spares it the work where all is well."""
        return self._examined(resource, profiles, looks_first=False)

    def _examined(self, resource: dict[str, Any], profiles: Sequence[str], *, looks_first: bool) -> list[Issue]:
        context = Context(resource, resource, Resolver(resource) if type(resource) is dict else _nothing)
        context.profiles, context.looks_first = profiles, looks_first
        found = self._types.resource_check(resource, context)
        if type(resource) is dict:
            for canonical in profiles:
                problems = self._check_profile(canonical, resource, context)
                if problems is not None:
                    found = joined(found, problems)
        return _issues(found, resource)

    def examine_against(
        self,
        resource: dict[str, Any],
        canonical: str,
        definitions: Mapping[str, dict[str, Any]],
        terminology: Terminology,
    ) -> list[Issue]:
        """Returns the findings of one profile that is not in force here, without R4's own; nothing is kept.

        `definitions`, by URL, are the profile and what it needs.
        """
        profiles = ProfileChecks(self._definitions.seen_with(definitions), terminology, self._invariants)
        context = Context(resource, resource, Resolver(resource))
        return _issues(_judged(profiles.find(canonical), canonical, resource, context), resource)

    def knows(self, canonical: str) -> bool:
        """True for a profile or a type that is in force here, with or without `|version`."""
        return self._profiles.find(canonical) is not None

    def snapshot_error(self, canonical: str) -> SnapshotError | None:
        """Returns why a profile that is known here cannot be used, None where it can."""
        try:
            self._definitions.tree(canonical)
        except SnapshotError as error:
            return error
        return None

    def profiles_of(self, resource_type: str | None) -> list[str]:
        """Returns the canonicals, with versions, of the profiles of a type (None: of any) that are loaded here."""
        return [
            "|".join(filter(None, (profile["url"], profile.get("version"))))
            for profile in self._definitions.profiles()
            if resource_type in (None, profile["type"])
        ]

    def existing_targets(self, resource: dict[str, Any]) -> list[str]:
        """Returns each `Type/id` that `resource` refers to and its profiles want to exist."""
        return self._targets.existing_targets(resource)

    def asks_for_targets(self, resource: dict[str, Any]) -> bool:
        """True where a profile that `resource` claims wants the targets of its references to exist."""
        return self._targets.asks(resource)

    def profiles_asking(self, resource: dict[str, Any]) -> tuple[str, ...]:
        """Returns the profiles of `resource` that want the targets of its references to exist."""
        return self._targets.asking(resource)

    def _fits(self, canonical: str, resource: dict[str, Any], context: Context) -> bool:
        profile = self._profiles.find(canonical)
        return (
            profile is not None and profile.type_name == resource["resourceType"] and profile.cell[0](resource, context)
        )

    def _fits_claimed(self, resource: dict[str, Any], context: Context) -> bool:
        claimed = resource["meta"].get("profile", ()) if "meta" in resource else ()
        return all(self._fits(canonical, resource, context) for canonical in claimed)

    def _check_claimed(self, resource: Any, context: Context) -> Findings | None:
        meta = resource.get("meta")
        claimed = meta.get("profile") if type(meta) is dict else None
        if type(claimed) is not list:
            return None
        found: Findings | None = None
        for index, canonical in enumerate(claimed):
            if type(canonical) is not str:
                continue
            problems = self._check_profile(canonical, resource, context)
            if problems is not None:
                for problem in problems:
                    if problem.rule == "profile-unknown":
                        problem.at(f"[{index}]", ".profile", ".meta")
                found = joined(found, problems)
        return found

    def _fits_imposed(self, resource: dict[str, Any], context: Context) -> bool:
        canonical = self._imposed_on(resource, context)
        return (canonical is None or self._fits(canonical, resource, context)) and self._fits_claimed(resource, context)

    def _check_imposed(self, resource: Any, context: Context) -> Findings | None:
        found, canonical = self._check_claimed(resource, context), self._imposed_on(resource, context)
        problems = None if canonical is None else self._check_profile(canonical, resource, context)
        return found if problems is None else joined(found, problems)

    def _imposed_on(self, resource: dict[str, Any], context: Context) -> str | None:
        """Returns the profile imposed on a resource that stands for itself; a contained one belongs to another."""
        return self.policy.imposed.get(resource["resourceType"]) if context.root is resource else None

    def _check_profile(self, canonical: str, resource: dict[str, Any], context: Context) -> Findings | None:
        return _judged(self._profiles.find(canonical), canonical, resource, context)


def _judged(
    profile: ProfileCheck | None, canonical: str, resource: dict[str, Any], context: Context
) -> Findings | None:
    if profile is None:
        return asked_by(canonical, [messages.unknown_profile(canonical)])
    if profile.type_name != resource.get("resourceType"):
        return asked_by(canonical, [messages.profile_of_other_type(canonical, profile.type_name)])
    found = profile.check(resource, context)
    return None if found is None else asked_by(canonical, found)


def _nothing(_literal: str) -> None:
    return None


def _issues(found: Findings | None, resource: Any) -> list[Issue]:
    """Returns each finding once, with all profiles that ask for it: a profile repeats what its base has said."""
    named = resource.get("resourceType") if type(resource) is dict else None
    root = named if type(named) is str and named.isidentifier() else "Resource"
    issues: dict[tuple[str, str, str], Issue] = {}
    for finding in found or ():
        issue = finding.issue(root)
        key = issue.rule, issue.expression, issue.severity
        first = issues.setdefault(key, issue)
        if first.profiles and not set(issue.profiles) & set(first.profiles):
            issues[key] = replace(first, profiles=first.profiles + issue.profiles if issue.profiles else ())
    return _without_echoes(list(issues.values()))


def _without_echoes(issues: list[Issue]) -> list[Issue]:
    """Leaves out what a value set or a code system says of a value whose form is wrong, and what a code system says of
    a code that a binding, a pattern or a fixed value refuses already, with the valid choices.
    """
    if not any(issue.rule in ABOUT_CODES for issue in issues):
        return issues
    malformed = {issue.expression for issue in issues if issue.rule.startswith("primitive-")}
    refused = tuple(f"{issue.expression}." for issue in issues if issue.is_error and issue.rule in REFUSED_VALUES)
    return [
        issue
        for issue in issues
        if issue.rule not in ABOUT_CODES
        or not (
            issue.expression in malformed
            or (issue.rule == "code-unknown" and f"{issue.expression}.".startswith(refused))
        )
    ]
