"""What a profile's findings mean for a write: a refusal, a warning, or nothing.

https://hl7.org/fhir/R4/validation.html leaves to the server what it does with a resource that does not fulfil a profile
which it claims. What R4 itself asks for is not a matter of policy: that always refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from fhir_server.outcome import Issue

Action: TypeAlias = Literal["refuse", "warn", "off"]
"""`refuse`: its errors refuse the write; `warn`: they are told as warnings; `off`: they are not told."""
Targets: TypeAlias = Literal["exist", "type", "off"]
"""What references must point to: `exist`, something that is here; `type`, the right type; `off`, anything."""

ACTIONS: tuple[Action, ...] = ("refuse", "warn", "off")
TARGETS: tuple[Targets, ...] = ("exist", "type", "off")
UNKNOWN = "profile-unknown"
TARGET_RULES = frozenset({"reference-target-missing", "reference-target-type"})
"""Rules about where a reference points."""


@dataclass(frozen=True, slots=True)
class ProfileRule:
    """What holds for the profiles whose canonical `pattern` fits; `*` stands for any text, None for the default.

    A pattern without `|` fits every version.
    """

    pattern: str
    action: Action | None = None
    targets: Targets | None = None

    def fits(self, canonical: str) -> bool:
        """True where the pattern stands for `canonical`."""
        text = canonical if "|" in self.pattern else canonical.partition("|")[0]
        first, *rest = self.pattern.split("*")
        if not rest:
            return text == first
        if not text.startswith(first):
            return False
        *middle, last = rest
        at = len(first)
        for part in middle:
            found = text.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return len(text) - len(last) >= at and text.endswith(last)


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """The policy of one server. Of `rules`, the first that fits and says something counts, else `default`.

    `unknown` is for profiles that a resource claims and this server does not know; `imposed` are the profiles, by
    resource type, that every resource of that type has to fulfil, be it claimed or not.
    """

    rules: Sequence[ProfileRule] = ()
    default: Action = "refuse"
    unknown: Action = "warn"
    imposed: Mapping[str, str] = field(default_factory=dict)

    def action(self, canonical: str) -> Action:
        """Returns what the errors of a known profile mean."""
        stated = (rule.action for rule in self.rules if rule.action is not None and rule.fits(canonical))
        return next(stated, self.default)

    def targets(self, canonical: str) -> Targets | None:
        """Returns what a profile's references must point to; None where no rule says it, but the profile does."""
        return next((rule.targets for rule in self.rules if rule.targets is not None and rule.fits(canonical)), None)

    def applied(self, issues: Iterable[Issue]) -> list[Issue]:
        """Returns the findings as they count for a write: some as warnings, some no longer there."""
        return [judged for issue in issues if (judged := self._judged(issue)) is not None]

    def _judged(self, issue: Issue) -> Issue | None:
        if not issue.profiles:
            return issue
        if issue.rule == UNKNOWN:
            return _as_severity(issue, self._of_unknown(issue.profiles[0]))
        asking = issue.profiles
        if issue.rule in TARGET_RULES:
            asking = tuple(each for each in asking if self.targets(each) != "off")
        actions = {self.action(each) for each in asking}
        strictest: Action = next((action for action in ACTIONS if action in actions), "off")
        return issue if strictest == "refuse" else _as_severity(issue, strictest)

    def _of_unknown(self, canonical: str) -> Action:
        is_off = any(rule.action == "off" and rule.fits(canonical) for rule in self.rules)
        return "off" if is_off else self.unknown


def _as_severity(issue: Issue, action: Action) -> Issue | None:
    if action == "off":
        return None
    if action == "refuse":
        return replace(issue, severity="error")
    return replace(issue, severity="warning") if issue.is_error else issue
