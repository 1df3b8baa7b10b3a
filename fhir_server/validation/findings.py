"""Findings on their way up: a check returns None where all is well, so the good case builds nothing.

Whoever calls a check adds the step that leads to it (`.name`, `[0]`); at the top the steps, read backwards, are the
place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fhir_server.fhirpath import Environment
from fhir_server.fhirpath.code import Code
from fhir_server.outcome import Issue
from fhir_server.validation.quick import with_writer, write

PLACE = "\ue000"
"""Stands for the place in a sentence until the place is known: a character of Unicode's private area, never in FHIR
text.
"""

MAX_DEPTH = 64
"""Levels of elements inside elements that a resource may have; deeper ones are refused."""


class Finding:
    """One finding with the steps that lead to it, innermost first, and the profile that asks for it; none: R4."""

    __slots__ = ("code", "english", "french", "profile", "rule", "severity", "steps")

    def __init__(self, code: str, rule: str, english: str, french: str, severity: str = "error") -> None:
        self.severity = severity
        self.code = code
        self.rule = rule
        self.english = english
        self.french = french
        self.profile = ""
        self.steps: list[str] = []

    def at(self, *steps: str) -> Finding:
        """Returns this finding after it moved up these steps, innermost first."""
        self.steps.extend(steps)
        return self

    def issue(self, root: str) -> Issue:
        """Returns the finding as an Issue below `root`, such as `Patient`."""
        place = root + "".join(reversed(self.steps))
        return Issue(
            self.severity,
            self.code,
            self.rule,
            self.english.replace(PLACE, place),
            self.french.replace(PLACE, place),
            place,
            profiles=(self.profile,) if self.profile else (),
        )


Findings = list[Finding]


class Context:
    """The resource under check, and what holds it.

    `resource` is %resource; `root` is %rootResource: the resource itself, or the one that contains it; `resolve`
    finds the target of a literal reference at hand (contained, or in the same Bundle). `verdicts` are those about
    targets that profiles were asked about, by identity and canonical: each is checked once. `profiles` are those that
    the caller asks for, beside those that `resource` claims. `untyped` are the identities of the objects with a value
    inside that has not the JSON type of its element: what their constraints say is judged with care. `looks_first` lets
    the entries of a Bundle that is not well have their quick look before their checks. `contained_ids` are those of the
    resources that a `root` contains, by its identity, as far as references asked for them. `was_asked` becomes true
    where a check asks for what lies outside its value; a verdict reached without that holds wherever the value stands.
    """

    __slots__ = (
        "_environment",
        "_profiles",
        "_resolve",
        "_resource",
        "_root",
        "contained_ids",
        "depth",
        "looks_first",
        "untyped",
        "verdicts",
        "was_asked",
    )

    extension = None
    """A Context answers what FHIRPath asks of an Environment; `%extension` is set only where a rule is about one."""

    def __init__(
        self,
        resource: dict[str, Any],
        root: dict[str, Any],
        resolve: Callable[[str], dict[str, Any] | None],
        depth: int = 0,
    ) -> None:
        self._resource = resource
        self._root = root
        self._resolve = resolve
        self._profiles: Sequence[str] = ()
        self.depth = depth
        self.was_asked = False
        self.looks_first = False
        self.contained_ids: dict[int, frozenset[str]] = {}
        self.untyped: set[int] = set()
        self.verdicts: dict[tuple[int, str], bool] = {}
        self._environment: Environment | None = None

    def of(
        self, resource: dict[str, Any], root: dict[str, Any], resolve: Callable[[str], dict[str, Any] | None]
    ) -> Context:
        """Returns the context of a resource inside this one, or of one that it refers to."""
        self.was_asked = True
        inner = Context(resource, root, resolve, self.depth)
        inner.verdicts, inner.untyped, inner.contained_ids = self.verdicts, self.untyped, self.contained_ids
        return inner

    @property
    def resource(self) -> dict[str, Any]:
        """%resource."""
        self.was_asked = True
        return self._resource

    @property
    def root(self) -> dict[str, Any]:
        """%rootResource."""
        self.was_asked = True
        return self._root

    @property
    def resolve(self) -> Callable[[str], dict[str, Any] | None]:
        """Finds the target of a literal reference at hand."""
        self.was_asked = True
        return self._resolve

    @property
    def profiles(self) -> Sequence[str]:
        """Profiles that the caller asks for."""
        self.was_asked = True
        return self._profiles

    @profiles.setter
    def profiles(self, canonicals: Sequence[str]) -> None:
        self._profiles = canonicals

    @property
    def environment(self) -> Environment:
        """What FHIRPath expressions may ask for; made when the first one is evaluated."""
        self.was_asked = True
        if self._environment is None:
            self._environment = Environment(resource=self._resource, root=self._root, resolve=self._resolve)
        return self._environment


Check = Callable[[Any, Context], Findings | None]
"""A compiled check of one value: None where all is well."""


def all_well(_value: Any, _context: Context) -> Findings | None:
    """The check that accepts everything."""
    return None


with_writer(all_well, lambda _code, _value: None)


def joined(found: Findings | None, problems: Findings, step: str = "") -> Findings:
    """Returns `found` and `problems`, the latter moved up one step."""
    if step:
        for problem in problems:
            problem.steps.append(step)
    if found is None:
        return problems
    found.extend(problems)
    return found


def asked_by(canonical: str, found: Findings) -> Findings:
    """Returns findings that know which profile asks; one that knows already is of a profile further inside."""
    for finding in found:
        finding.profile = finding.profile or canonical
    return found


def all_of(checks: Iterable[Check]) -> Check:
    """Returns one check that does all of `checks` on the same value."""
    parts = [check for check in checks if check is not all_well]
    if not parts:
        return all_well
    if len(parts) == 1:
        return parts[0]

    def write_all(code: Code, value: str) -> None:
        for check in parts:
            write(code, check, value)

    return with_writer(_both(*parts) if len(parts) == 2 else _all(tuple(parts)), write_all)


def _all(many: tuple[Check, ...]) -> Check:
    def check_all(value: Any, context: Context) -> Findings | None:
        found: Findings | None = None
        for check in many:
            problems = check(value, context)
            if problems is not None:
                found = joined(found, problems)
        return found

    return check_all


def _both(first: Check, second: Check) -> Check:
    def check_both(value: Any, context: Context) -> Findings | None:
        found = first(value, context)
        problems = second(value, context)
        if problems is None:
            return found
        return joined(found, problems)

    return check_both
