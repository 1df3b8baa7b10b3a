"""What has to be installed with a package: its dependencies, found among what is there, never fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhir_server.conformance.packages.errors import PackageError
from fhir_server.conformance.packages.source import Source, open_source
from fhir_server.conformance.packages.store import PackageStore
from fhir_server.conformance.packages.versions import is_accepted, version_key


@dataclass(frozen=True, slots=True)
class Missing:
    """A dependency that nothing meets: its name, the version wanted, and the package that wants it."""

    name: str
    wanted: str
    needed_by: str

    def __str__(self) -> str:
        return f"{self.name}#{self.wanted}"


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """`sources` in the order to install them, dependencies first; `missing` is what could not be found."""

    sources: list[Source]
    missing: list[Missing]


def plan_install(given: Sequence[Source], store: PackageStore) -> InstallPlan:
    """Returns what to install for the packages `given`.

    A dependency is met by R4's own tables, by another given package, by an installed one, or by a package that lies
    beside a given one; the first of these that has it counts.
    """
    plan = InstallPlan([], [])
    planned: set[str] = set()
    nearby = _Nearby([source.path for source in given])

    def add(source: Source) -> None:
        if source.manifest.key in planned:
            return
        planned.add(source.manifest.key)
        for name, wanted in source.manifest.unmet_names().items():
            if (found := _newest(given, name, wanted)) is not None:
                add(found)
            elif store.find(name, wanted) is None:
                if (found := nearby.find(name, wanted)) is not None:
                    add(found)
                else:
                    plan.missing.append(Missing(name, wanted, source.manifest.key))
        plan.sources.append(source)

    for source in given:
        add(source)
    return plan


def check_not_needed(store: PackageStore, name: str, version: str = "") -> None:
    """Raises PackageError where an installed package needs what is to be removed, and nothing left would do."""
    installed = store.installed()
    leaving = [each for each in installed if each.manifest.name == name and version in ("", each.manifest.version)]
    staying = [each.manifest for each in installed if each not in leaving]
    needed_by = sorted(
        manifest.key
        for manifest in staying
        if any(is_accepted(manifest.dependencies.get(name, ""), each.manifest.version) for each in leaving)
        and not any(m.name == name and is_accepted(manifest.dependencies[name], m.version) for m in staying)
    )
    if needed_by:
        listed = ", ".join(f"`{key}`" for key in needed_by)
        raise PackageError(
            f"`{name}` is needed by {listed}: remove those first, or use --force.",
            f"`{name}` est requis par {listed} : supprimez-les d'abord, ou utilisez --force.",
        )


def _newest(sources: Iterable[Source], name: str, wanted: str) -> Source | None:
    fitting = [s for s in sources if s.manifest.name == name and is_accepted(wanted, s.manifest.version)]
    return max(fitting, key=lambda source: version_key(source.manifest.version), default=None)


class _Nearby:
    """The packages in the folders of others; only looked at when a dependency is not met otherwise."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._folders = list(dict.fromkeys(path.resolve().parent for path in paths))
        self._sources: list[Source] | None = None

    def find(self, name: str, wanted: str) -> Source | None:
        if self._sources is None:
            self._sources = list(self._read())
        return _newest(self._sources, name, wanted)

    def _read(self) -> Iterator[Source]:
        for folder in self._folders:
            unpacked = (path.parent.parent for path in folder.glob("*/package/package.json"))
            for path in sorted([*folder.glob("*.tgz"), *unpacked]):
                try:
                    yield open_source(path)
                except PackageError:
                    continue  # a file nearby that is no package is nobody's wish
