"""Writes the synthetic network as NDJSON, one file per resource type (http://ndjson.org, FHIR bulk data)."""

from __future__ import annotations

from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Self

import msgspec

from fhir_server.synthetic.bundles import course_bundles, directory_bundles
from fhir_server.synthetic.care import draw_courses
from fhir_server.synthetic.founding import build_networks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from fhir_server.synthetic.course import Course
    from fhir_server.synthetic.network import Size

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class NdjsonFiles:
    """The files `<ResourceType>.ndjson` of a directory, opened as types turn up; a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def write(self, bundle: dict[str, Any]) -> None:
        """Appends each resource of the bundle to the file of its type."""
        for entry in bundle["entry"]:
            resource = entry["resource"]
            self._file(resource["resourceType"]).write(_ENCODER.encode(resource) + b"\n")

    def _file(self, resource_type: str) -> IO[bytes]:
        found = self._files.get(resource_type)
        if found is None:
            path = self._directory / f"{resource_type}.ndjson"
            found = self._files[resource_type] = self._stack.enter_context(path.open("wb"))
        return found


def write_network(
    size: Size, seed: int, *, on_bundle: Callable[[dict[str, Any]], None], on_course: Callable[[Course], None]
) -> None:
    """Hands every bundle of a synthetic network to `on_bundle`, every patient done to `on_course`; needs no server."""
    for bundle in directory_bundles(size, seed):
        on_bundle(bundle)
    for network in build_networks(size, seed):
        for course in draw_courses(network):
            for bundle in course_bundles(course):
                on_bundle(bundle)
            on_course(course)
