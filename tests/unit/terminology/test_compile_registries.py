"""The script that reads IANA's registry of language subtags. https://www.rfc-editor.org/rfc/rfc5646#section-3"""

from pathlib import Path

from fhir_server.terminology.code_systems.compile_registries import subtags

REGISTRY = """File-Date: 2026-01-01
%%
Type: language
Subtag: fr
Description: French
%%
Type: extlang
Subtag: yue
Description: Yue Chinese
Prefix: zh
%%
Type: region
Subtag: SU
Description: Union of Soviet
  Socialist Republics
Deprecated: 1992-08-30
%%
Type: grandfathered
Tag: i-klingon
Description: Klingon
%%
Type: redundant
Tag: zh-Hant
Description: traditional Chinese
"""


def test_subtags_come_by_section(tmp_path: Path) -> None:
    (tmp_path / "registry.txt").write_text(REGISTRY, encoding="utf-8")
    assert subtags(tmp_path / "registry.txt") == {
        "date": "2026-01-01",
        "languages": {"fr": ["French"]},
        "extlangs": {"yue": ["Yue Chinese", {"prefix": ["zh"]}]},
        "scripts": {},
        "regions": {"SU": ["Union of Soviet Socialist Republics", {"deprecated": True}]},
        "variants": {},
        "whole": {"i-klingon": ["Klingon"]},
    }
