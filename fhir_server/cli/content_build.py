"""`fhir-server content-build`: one FHIR package of `profiles/` and `terminology/`, to be loaded into other FHIR tools.

Layout: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification. Definitions stay differential: their readers
compute snapshots. The same content gives the same bytes.
"""

import argparse
import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fhir_server.cli.content_check import check_content, find_folders

INDEX_FIELDS = ("resourceType", "id", "url", "version", "kind", "type", "content", "valueSet", "derivation")
"""What the package's index says of each file, where the file says it."""


def build_index(files: Mapping[str, bytes]) -> bytes:
    """Returns `.index.json` for files by name."""
    entries = []
    for name, content in sorted(files.items()):
        resource = json.loads(content)
        known = {key: resource[key] for key in INDEX_FIELDS if isinstance(resource.get(key), str)}
        entries.append({"filename": name, **known})
    return _encode({"index-version": 2, "files": entries})


def package_files(profiles: Path, terminology: Path) -> dict[str, bytes]:
    """Returns the content of the package by path inside it: definitions, examples, both indexes and `package.json`."""
    definitions = _read(
        path
        for folder in (profiles, terminology, profiles.parent / "mappings")
        for path in folder.rglob("*.json")
        if path.parent != profiles and path.parent.name not in {"examples", "counterexamples"}
    )
    examples = _read((profiles / "examples").glob("*.json"))
    files = {f"package/{name}": content for name, content in definitions.items()}
    files |= {f"package/example/{name}": content for name, content in examples.items()}
    files["package/.index.json"] = build_index(definitions)
    files["package/example/.index.json"] = build_index(examples)
    files["package/package.json"] = (profiles / "package.json").read_bytes()
    return files


def build_archive(files: Mapping[str, bytes]) -> bytes:
    """Returns a gzipped tar; `package.json` comes first, as readers of packages expect."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(files, key=lambda name: (name != "package/package.json", name)):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()


def package_name(profiles: Path) -> str:
    """Returns the archive's file name, such as `fr.cnrms.msma-0.1.0.tgz`."""
    package = json.loads((profiles / "package.json").read_bytes())
    return f"{package['name']}-{package['version']}.tgz"


def _read(paths: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


def main(arguments: Sequence[str]) -> int:
    """Writes the package; returns 0, or 1 where the content has faults."""
    parser = argparse.ArgumentParser(
        prog="fhir-server content-build", description="Construit le paquet FHIR · Builds the FHIR package"
    )
    parser.add_argument("--content", type=Path, help="dossier de profiles/ et terminology/ · folder that holds both")
    parser.add_argument(
        "--output", type=Path, default=Path("dist"), help="dossier du paquet · folder for it (%(default)s)"
    )
    options = parser.parse_args(arguments)
    profiles, terminology = find_folders(options.content)
    if problems := check_content(profiles, terminology):
        print(
            f"{len(problems)} faute(s) : lancez `fhir-server content-check`. · faults: run `fhir-server content-check`."
        )
        return 1
    files = package_files(profiles, terminology)
    target: Path = options.output / package_name(profiles)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(build_archive(files))
    print(f"{target} : {len(files)} fichiers · files")
    return 0
