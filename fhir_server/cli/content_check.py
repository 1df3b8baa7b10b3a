"""`fhir-server content-check`: what `profiles/`, `terminology/` and `mappings/` promise, checked without a network.

https://hl7.org/fhir/R4/profiling.html
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.app import content_folders, installed_packages
from fhir_server.cli.content import Content, Problem, read_content
from fhir_server.conformance.narrowing import SnapshotError
from fhir_server.errors import FhirError
from fhir_server.fhirpath import compile_expression
from fhir_server.index import SearchParameterRegistry, check_definition
from fhir_server.settings import Settings, with_folders
from fhir_server.spec.definitions import resource_types, table

BASE = "https://cnrms.fr/ig/fhir/msma"
FOLDERS = {
    "StructureDefinition": "structure-definitions",
    "SearchParameter": "search-parameters",
    "OperationDefinition": "operation-definitions",
    "CapabilityStatement": "capability-statements",
    "Questionnaire": "questionnaires",
    "Measure": "measures",
    "CodeSystem": "code-systems",
    "ValueSet": "value-sets",
    "NamingSystem": "naming-systems",
    "ConceptMap": "concept-maps",
}
"""Where a definition lies, by its `resourceType`."""
POINTS = {
    1: "forme, nom, URL, version · form, name, URL, version",
    2: "conforme à R4 · valid R4",
    3: "canoniques connues · canonicals known",
    4: "profils complets, règles lisibles, recherche possible · snapshots, invariants, search parameters",
    5: "exemples et contre-exemples · examples and counterexamples",
    6: "codes · codes",
}
OWN_CANONICAL = re.compile(re.escape(BASE) + r"/(?:StructureDefinition|CodeSystem|ValueSet)/[A-Za-z0-9.-]+")
CANONICAL_KEYS = frozenset(
    {"baseDefinition", "valueSet", "profile", "targetProfile", "sourceCanonical", "source", "target"}
)
OWN_RULE = re.compile(r"msma-\d+")


def check_form(content: Content) -> Iterator[Problem]:
    """Point 1: formatted, in its folder, named by type and id; canonical URL and version follow from them."""
    yield from content.unreadable
    for path, resource in content.resources.items():
        text = path.read_bytes()
        if msgspec.json.format(text, indent=2) + b"\n" != text:
            yield Problem(
                1, path, "Le JSON n’a pas deux espaces par niveau.", "The JSON is not indented by two spaces."
            )
        name = f"{resource['resourceType']}-{resource.get('id')}"
        if path.stem != name:
            yield Problem(1, path, f"Le fichier devrait s’appeler `{name}.json`.", f"The file should be `{name}.json`.")
    for path, resource in content.definitions():
        folder = FOLDERS.get(resource["resourceType"])
        if path.parent.name != folder:
            yield Problem(1, path, f"Sa place est `{folder}/`.", f"Its place is `{folder}/`.")
        if resource["resourceType"] == "NamingSystem":
            continue
        url = f"{BASE}/{resource['resourceType']}/{resource['id']}"
        if resource.get("url") != url:
            yield Problem(1, path, f"L’URL devrait être `{url}`.", f"The URL should be `{url}`.")
        if resource.get("version") != content.package["version"]:
            yield Problem(1, path, "La version n’est pas celle du paquet.", "The version is not the package's.")


def check_validity(content: Content) -> Iterator[Problem]:
    """Point 2: each definition is valid R4 by our own validator."""
    for path, resource in content.definitions():
        for issue in content.validator.validate(resource):
            if issue.is_error:
                yield Problem(2, path, f"{issue.french} ({issue.rule})", f"{issue.english} ({issue.rule})")


def check_canonicals(content: Content) -> Iterator[Problem]:
    """Point 3: each canonical that is named is defined here, in R4, or in a declared dependency."""
    for path, resource in content.resources.items():
        if path.parent.name == "counterexamples":
            continue
        named = set(_canonicals(resource)) | set(OWN_CANONICAL.findall(path.read_text(encoding="utf-8")))
        for canonical in sorted(named):
            # `SearchParameter.target` names resource types.
            if canonical not in resource_types() and not content.knows(canonical):
                yield Problem(3, path, f"`{canonical}` n’est pas connu.", f"`{canonical}` is not known.")


def _canonicals(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "system" and isinstance(value, str) and "code" in node and not value.startswith("urn:"):
                yield value
            elif name == "url" and ("extension" in node or key in {"extension", "modifierExtension"}):
                yield from (value,) if isinstance(value, str) and value.startswith("http") else ()
            yield from _canonicals(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _canonicals(value, key)
    elif isinstance(node, str) and key in CANONICAL_KEYS:
        yield node


def check_profiles(content: Content) -> Iterator[Problem]:
    """Point 4: the snapshot of each profile can be computed, each of its constraints can be read."""
    for path, resource in content.definitions("StructureDefinition"):
        try:
            elements = content.registry.snapshot(resource["url"])
        except SnapshotError as error:
            yield Problem(
                4, path, f"Le profil ne convient pas à sa base : {error.french}", f"It does not fit its base: {error}"
            )
            continue
        for element in elements:
            for constraint in element.get("constraint", ()):
                if not OWN_RULE.fullmatch(constraint["key"]):
                    continue
                try:
                    compile_expression(constraint["expression"], _type_of(element))
                except FhirError as error:
                    key = constraint["key"]
                    yield Problem(4, path, f"{key} : {error.french}", f"{key}: {error.english}")


def check_search_parameters(content: Content) -> Iterator[Problem]:
    """Point 4 too: each search parameter can be indexed, under a code that nothing else has."""
    known, seen = SearchParameterRegistry(table("search_parameters")), []
    for path, resource in content.definitions("SearchParameter"):
        for issue in check_definition(resource, known):
            yield Problem(4, path, issue.french, issue.english)
        seen.append(resource)
        known.adopt(seen)


def _type_of(element: dict[str, Any]) -> str:
    codes = [one["code"] for one in element.get("type", ())]
    if len(codes) == 1 and codes[0] not in {"BackboneElement", "Element"}:
        return str(codes[0])
    return str(element["path"])


def check_examples(content: Content) -> Iterator[Problem]:
    """Point 5: examples pass, counterexamples fail as written; each profile has both, each rule is broken once."""
    claimed: Counter[str] = Counter()
    for path, resource in content.instances("examples"):
        claimed.update(_profiles_in(resource))
        for issue in content.validator.validate(resource):
            if issue.is_error:
                yield Problem(5, path, f"{issue.french} ({issue.rule})", f"{issue.english} ({issue.rule})")
    broken: set[str] = set()
    missed: Counter[str] = Counter()
    for path, resource in content.instances("counterexamples"):
        found = [
            {"severity": issue.severity, "rule": issue.rule, "expression": issue.expression}
            for issue in content.bare_validator.validate(resource)
        ]
        broken.update(issue["rule"] for issue in found)
        if found:
            missed[f"{BASE}/StructureDefinition/{path.stem.partition('-')[2].partition('-bad-')[0]}"] += 1
        yield from _compare(path, found)
    for path in sorted((content.profiles / "counterexamples").glob("*.issues.json")):
        if path.with_name(path.name.replace(".issues.json", ".json")) not in content.resources:
            yield Problem(5, path, "La ressource manque.", "Its resource is missing.")
    for path, resource in content.definitions("StructureDefinition"):
        yield from _unproven(path, resource, claimed, missed, broken)


def _profiles_in(resource: dict[str, Any]) -> set[str]:
    """Returns the profiles that a resource and its entries claim, and the extensions they carry."""
    return set(resource.get("meta", {}).get("profile", ())) | set(
        OWN_CANONICAL.findall(json.dumps(resource, default=str))
    )


def _compare(path: Path, found: list[dict[str, str]]) -> Iterator[Problem]:
    beside = path.with_suffix(".issues.json")
    expected = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else []
    for issue in expected:
        if issue not in found:
            yield Problem(
                5, path, f"Constat attendu et absent : {_line(issue)}.", f"Expected and absent: {_line(issue)}."
            )
    for issue in found:
        if issue not in expected:
            yield Problem(5, path, f"Constat inattendu : {_line(issue)}.", f"Unexpected finding: {_line(issue)}.")
    if not expected:
        yield Problem(5, path, "Aucun constat n’est écrit à côté.", "No expected findings beside it.")


def _line(issue: dict[str, str]) -> str:
    return f"{issue['severity']} `{issue['rule']}` `{issue['expression']}`"


def _unproven(
    path: Path, profile: dict[str, Any], claimed: Counter[str], missed: Counter[str], broken: set[str]
) -> Iterator[Problem]:
    on_definitions = [one["expression"] for one in profile.get("context", ())] == ["StructureDefinition"]
    if not on_definitions and not claimed[profile["url"]]:
        yield Problem(5, path, "Aucun exemple.", "It has no example.")
    if not on_definitions and not missed[profile["url"]]:
        yield Problem(5, path, "Aucun contre-exemple.", "It has no counterexample.")
    for element in profile["differential"]["element"]:
        for constraint in element.get("constraint", ()):
            key = constraint["key"]
            if key not in broken:
                yield Problem(5, path, f"Aucun contre-exemple n’enfreint {key}.", f"No counterexample breaks {key}.")


def check_codes(content: Content) -> Iterator[Problem]:
    """Point 6: each value set expands; each code that is named exists where its code system is known here in full."""
    for path, resource in content.definitions("ValueSet"):
        codes = content.codes.codes(resource["url"])
        if codes is None or not len(codes):
            yield Problem(6, path, "Le jeu de valeurs n’a pas d’expansion.", "The value set does not expand.")
    for path, resource in content.definitions("CodeSystem"):
        if resource.get("count") != _number_of(resource.get("concept", ())):
            yield Problem(6, path, "`count` n’est pas le nombre de codes.", "`count` is not the number of codes.")
    for path, resource in content.resources.items():
        if path.parent.name == "counterexamples":
            continue
        for system, code in sorted({*_codings(resource), *_mapped_codes(resource)}):
            known = content.codes.code_system(system)
            if known is not None and known.content == "complete" and known.find(code) != code:
                yield Problem(6, path, f"Le code `{system}|{code}` n’existe pas.", f"`{system}|{code}` does not exist.")


def _number_of(concepts: Sequence[dict[str, Any]]) -> int:
    return sum(1 + _number_of(concept.get("concept", ())) for concept in concepts)


def _codings(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("system"), str):
            if isinstance(node.get("code"), str):
                yield node["system"], node["code"]
            for concept in node.get("concept", ()):
                yield node["system"], concept["code"]
        for value in node.values():
            yield from _codings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _codings(value)


def _mapped_codes(resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the source and target codes of a ConceptMap."""
    for group in resource.get("group", ()) if resource["resourceType"] == "ConceptMap" else ():
        for element in group["element"]:
            yield group["source"], element["code"]
            for target in element.get("target", ()):
                if "code" in target:
                    yield group["target"], target["code"]


CHECKS = (
    *(check_form, check_validity, check_canonicals, check_profiles, check_search_parameters),
    *(check_examples, check_codes),
)


def find_problems(content: Content) -> list[Problem]:
    """Returns every fault of the content, by point; an empty list where all is well."""
    return [problem for check in CHECKS for problem in check(content)]


def check_content(profiles: Path, terminology: Path) -> list[Problem]:
    """Returns every fault of the files in both folders and in `mappings/` beside them."""
    return find_problems(read_content(profiles, terminology))


def render(problems: Iterable[Problem], root: Path, counts: Counter[str]) -> Iterator[str]:
    """Yields the lines that the command prints: one per point, the faults below their point, a summary."""
    by_point: dict[int, list[Problem]] = {point: [] for point in POINTS}
    for problem in problems:
        by_point[problem.point].append(problem)
    for point, title in POINTS.items():
        yield f"{'✗' if by_point[point] else '✓'} {point}. {title}"
        for problem in by_point[point]:
            path = problem.path.relative_to(root) if problem.path.is_relative_to(root) else problem.path
            yield f"    {path}"
            yield f"      {problem.french}"
            yield f"      {problem.english}"
    total = sum(map(len, by_point.values()))
    held = ", ".join(f"{count} {name}" for name, count in counts.items())
    yield f"{held} · {total} faute(s) · {total} fault(s)"


def main(arguments: Sequence[str]) -> int:
    """Checks the content; returns 0 where all is well, 1 where not."""
    parser = argparse.ArgumentParser(
        prog="fhir-server content-check",
        description="Vérifie profiles/ et terminology/ · Checks profiles/ and terminology/",
    )
    parser.add_argument("--content", type=Path, help="dossier de profiles/ et terminology/ · folder that holds both")
    parser.add_argument("--data-dir", type=Path, help="celui de `serve`, où sont les paquets · that of `serve`")
    options = parser.parse_args(arguments)
    profiles, terminology = find_folders(options.content)
    settings = with_folders(Settings.from_environment(), options.data_dir)
    content = read_content(profiles, terminology, installed_packages(settings))
    problems = find_problems(content)
    counts = Counter(path.parent.name for path in content.resources)
    for line in render(problems, profiles.parent, counts):
        print(line)
    return 1 if problems else 0


def find_folders(content: Path | None) -> tuple[Path, Path]:
    """Returns `profiles` and `terminology`: of `content` where given, else those that the server would load."""
    if content is not None:
        return content / "profiles", content / "terminology"
    profiles, terminology = content_folders(Settings.from_environment())[:2]
    return profiles, terminology
