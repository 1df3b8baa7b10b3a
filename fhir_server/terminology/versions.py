"""Which version of a code system or value set is meant. https://hl7.org/fhir/R4/references.html#canonical

A version may be written with `x` or `*` for any part: `1.x` stands for `1.0`, `1.2`, not for `2.0` or `1.0.1`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fhir_server.conformance import split_canonical
from fhir_server.terminology.problems import wrong_version

T = TypeVar("T")

_PARTS = re.compile(r"\d+|[^\d.\-+_/]+")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Returns what versions sort by: numbers as numbers, `1.10` after `1.9`, a word before the end, as a pre-release
    does: `1.0-ballot` before `1.0`; no version before any.
    """
    parts = _PARTS.findall(version)
    rows = [(2, int(part), "") if part.isdecimal() else (0, 0, part.casefold()) for part in parts]
    return (*rows, (1, 0, "")) if rows else ()


def version_matches(wanted: str, version: str) -> bool:
    """True where `version` is the wanted one, or any where none is wanted; what has no version is taken for any.

    SNOMED CT names an edition by its URI, which stands for all versions of it.
    """
    if not wanted or not version or wanted == version or version.startswith(f"{wanted}/version/"):
        return True
    parts, found = wanted.split("."), version.split(".")
    has_wildcard = any(part in ("x", "X", "*") for part in parts)
    return (
        has_wildcard
        and len(parts) == len(found)
        and all(part in ("x", "X", "*") or part == there for part, there in zip(parts, found, strict=True))
    )


def newest(candidates: Iterable[T], version_of: Callable[[T], str], wanted: str = "") -> T | None:
    """Returns the newest of those of the wanted version, None where there is none."""
    fitting = [each for each in candidates if version_matches(wanted, version_of(each))]
    return max(fitting, key=lambda each: version_key(version_of(each)), default=None)


@dataclass(frozen=True, slots=True)
class VersionRules:
    """What a request says of versions, each by URL.

    `default` holds where nothing else names a version (`system-version`, `default-valueset-version`), `forced` whatever
    is named (`force-system-version`), `checked` refuses any other (`check-system-version`).
    """

    default: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, url: str, version: str) -> str:
        """Returns the version to look for where `version` is named, which may be empty."""
        return self.forced.get(url) or version or self.default.get(url) or self.checked.get(url, "")

    def check(self, url: str, version: str) -> None:
        """Raises WrongVersion where `version` of a system is not that which the request insists on."""
        wanted = self.checked.get(url, "")
        if not version_matches(wanted, version):
            raise wrong_version(url, version, wanted)


def version_rules(
    default: Sequence[str] = (), forced: Sequence[str] = (), checked: Sequence[str] = ()
) -> VersionRules:
    """Returns the rules that canonicals such as `http://loinc.org|2.56` state."""
    read = [dict(split_canonical(canonical) for canonical in each) for each in (default, forced, checked)]
    return VersionRules(*read)
