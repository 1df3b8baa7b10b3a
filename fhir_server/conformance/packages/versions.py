"""Which of two versions is the newer one, and which versions a dependency accepts.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification asks for semantic versions (https://semver.org);
business versions of definitions may be anything, so a version that is none is compared as text.
"""

import re
from collections.abc import Iterable

_PARTS = re.compile(r"\d+|[^\d.+-]+")
_FLOATING = frozenset({"latest", "current", "dev"})
"""Words in place of a version that stand for whatever is the newest."""

VersionKey = tuple[tuple[tuple[int, int, str], ...], bool, tuple[tuple[int, int, str], ...]]


def version_key(version: str) -> VersionKey:
    """Returns what sorts versions from old to new: `1.9.0` < `1.10.0-ballot` < `1.10.0`; the empty one comes first."""
    release, _, label = version.partition("+")[0].partition("-")
    return _key(release), not label, _key(label)


def _key(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in _PARTS.findall(text))


def is_accepted(wanted: str, version: str) -> bool:
    """True where a dependency on `wanted` is met by `version`.

    `2.1.0` is met by itself alone, `2.1.x` by every patch of 2.1, `current`, `latest` and `dev` by any version.
    """
    if wanted in _FLOATING or wanted == version:
        return True
    start, wildcard, _ = wanted.partition("x")
    return bool(wildcard) and start.endswith(".") and version.startswith(start)


def newest(versions: Iterable[str]) -> str | None:
    """Returns the newest of some versions; None of none."""
    return max(versions, key=version_key, default=None)
