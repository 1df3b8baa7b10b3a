"""Compiles the registries of languages, countries and currencies into `registries.json.gz` beside this file.

Run as `python -m fhir_server.terminology.code_systems.compile_registries language-subtag-registry.txt`, with `babel` installed.
IANA's registry of language subtags (public) lies in the PyPI wheel `langcodes==3.5.1` as `langcodes/data/language-subtag-registry.txt`; the
names in French and English, the currencies in use and the three codes of a country are facts of Unicode's CLDR (Unicode
License v3), which `babel==2.18.0` carries. https://www.rfc-editor.org/rfc/rfc5646#section-3
"""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("registries.json.gz")
SECTIONS = {"language": "languages", "extlang": "extlangs", "script": "scripts", "region": "regions", "variant": "variants"}
WITHOUT_TERRITORY = ("XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX")
"""Codes of ISO 4217 that are nobody's tender: metals, accounting units, tests."""
WITHDRAWN = frozenset("ZAR DDR FXX BUR TMP YMD 230 249 278 280 720 736 886".split())
"""Codes that countries had before they changed; CLDR keeps them as aliases."""


def records(registry: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of IANA's registry; what a record says several times is a list."""
    for record in registry.read_text(encoding="utf-8").split("\n%%\n"):
        fields: dict[str, Any] = {}
        for line in record.replace("\n  ", " ").splitlines():
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        yield fields


def subtags(registry: Path) -> dict[str, Any]:
    """Returns subtags by section: `[English]`, or `[English, {prefix, deprecated}]`; ranges as `qaa..qtz`."""
    found: dict[str, Any] = {name: {} for name in (*SECTIONS.values(), "whole")}
    for fields in records(registry):
        kind = fields.get("Type", [""])[0]
        more = {"prefix": fields["Prefix"]} if "Prefix" in fields else {}
        if "Deprecated" in fields:
            more["deprecated"] = True
        row = [fields.get("Description", [""])[0], *([more] if more else [])]
        if kind in SECTIONS:
            found[SECTIONS[kind]][fields["Subtag"][0]] = row
        elif kind == "grandfathered":
            found["whole"][fields["Tag"][0]] = row
        elif "File-Date" in fields:
            found["date"] = fields["File-Date"][0]
    return found


def french_names() -> dict[str, Any]:
    """Returns CLDR's French names of languages, scripts and territories."""
    french = importlib.import_module("babel").Locale("fr")
    return {
        "languages": {code: name for code, name in french.languages.items() if "_" not in code},
        "scripts": dict(french.scripts),
        "regions": dict(french.territories),
    }


def countries(alpha2: set[str]) -> list[list[str]]:
    """Returns `[alpha-2, alpha-3, number, English, French]` of each country."""
    babel, core = importlib.import_module("babel"), importlib.import_module("babel.core")
    english, french = babel.Locale("en").territories, babel.Locale("fr").territories
    aliases = core.get_global("territory_aliases")
    rows = []
    for code in sorted(alpha2):
        others = [alias for alias, targets in aliases.items() if targets == [code] and len(alias) == 3 and alias not in WITHDRAWN]
        (alpha3,) = (alias for alias in others if alias.isalpha())
        (number,) = (alias for alias in others if alias.isdigit())
        rows.append([code, alpha3, number, english[code], french[code]])
    return rows


def currencies() -> list[list[Any]]:
    """Returns `[code, English, French, whether it is in use]` of each currency."""
    babel, numbers = importlib.import_module("babel"), importlib.import_module("babel.numbers")
    english, french = babel.Locale("en"), babel.Locale("fr")
    used = set(WITHOUT_TERRITORY)
    for territory in english.territories:
        if len(territory) == 2:
            used.update(numbers.get_territory_currencies(territory, tender=True, non_tender=True))
    return [[code, name, french.currencies.get(code, ""), code in used] for code, name in sorted(english.currencies.items())]


def main(registry: Path) -> None:
    """Writes the table."""
    from fhir_server.spec.definitions import table  # the countries are those of R4's own value set

    (alpha2,) = (row for row in table("value_sets") if row["url"] == "http://hl7.org/fhir/ValueSet/iso3166-1-2")
    codes = {concept["code"] for concept in alpha2["compose"]["include"][0]["concept"]}
    built = {
        "subtags": subtags(registry),
        "french": french_names(),
        "countries": countries(codes),
        "currencies": currencies(),
    }
    content = json.dumps(built, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    TARGET.write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
