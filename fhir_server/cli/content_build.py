"""`fhir-server content-build`: one FHIR package of `profiles/` and `terminology/`, to be loaded into other FHIR tools.

Layout: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification. Profiles come with their snapshots, for those
who do not compute them, and an ImplementationGuide lists all. The same content gives the same bytes.
"""

import argparse
import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fhir_server.cli.content import Content, read_content
from fhir_server.cli.content_check import find_folders, find_problems
from fhir_server.cli.implementation_guide import build_guide
from fhir_server.spec import json_format

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


def package_files(content: Content) -> dict[str, bytes]:
    """Returns the content of the package by path inside it: definitions, examples, both indexes and `package.json`."""
    definitions = dict(content.definitions())
    examples = dict(content.instances("examples"))
    guide = build_guide(content.package, list(definitions.values()), list(examples.values()))
    packed = {path.name: _with_snapshot(path, resource, content) for path, resource in definitions.items()}
    packed[f"ImplementationGuide-{guide['id']}.json"] = _encode(guide)
    shown = {path.name: path.read_bytes() for path in examples}
    files = {f"package/{name}": file for name, file in packed.items()}
    files |= {f"package/example/{name}": file for name, file in shown.items()}
    files["package/.index.json"] = build_index(packed)
    files["package/example/.index.json"] = build_index(shown)
    files["package/package.json"] = (content.profiles / "package.json").read_bytes()
    return files


def _with_snapshot(path: Path, resource: dict[str, Any], content: Content) -> bytes:
    if resource["resourceType"] != "StructureDefinition":
        return path.read_bytes()
    return json_format.encode_pretty(content.registry.with_snapshot(resource)) + b"\n"


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


def package_name(package: Mapping[str, Any]) -> str:
    """Returns the archive's file name, such as `fr.cnrms.msma-0.1.0.tgz`."""
    return f"{package['name']}-{package['version']}.tgz"


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
    content = read_content(*find_folders(options.content))
    if problems := find_problems(content):
        print(
            f"{len(problems)} faute(s) : lancez `fhir-server content-check`. · faults: run `fhir-server content-check`."
        )
        return 1
    files = package_files(content)
    target: Path = options.output / package_name(content.package)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(build_archive(files))
    print(f"{target} : {len(files)} fichiers · files")
    return 0
