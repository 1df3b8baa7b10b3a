"""Code systems with rules of their own: units, languages, media types, countries, currencies, time zones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.conformance import DefinitionRegistry
from fhir_server.spec.definitions import table
from fhir_server.spec.ucum import find_unit
from fhir_server.spec.ucum_units import BASES, METRIC, OTHERS, PREFIXES
from fhir_server.terminology import Terminology
from fhir_server.terminology.code_systems import CodeSystemProvider, Filter
from fhir_server.terminology.code_systems.filters import UnknownFilter
from fhir_server.terminology.code_systems.unit_names import NAMES
from fhir_server.terminology.code_systems.units import _parses, is_unit

UCUM, BCP47, BCP13 = "http://unitsofmeasure.org", "urn:ietf:bcp:47", "urn:ietf:bcp:13"
ISO3166, ISO4217, ZONES = "urn:iso:std:iso:3166", "urn:iso:std:iso:4217", "https://www.iana.org/time-zones"
TERMINOLOGY = Terminology(DefinitionRegistry())


def system(url: str) -> CodeSystemProvider:
    found = TERMINOLOGY.code_system(url)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("url", "code", "written", "display", "french"),
    [
        (UCUM, "kPa", "kPa", "kPa", "kilopascal"),
        (UCUM, "mg{Hb}/dL", "mg{Hb}/dL", "mg{Hb}/dL", None),
        (UCUM, "10*9/L", "10*9/L", "10*9/L", None),
        (UCUM, "{score}", "{score}", "{score}", None),
        (UCUM, "m.s-1", "m.s-1", "m.s-1", None),
        (UCUM, "[Btu_th]", "[Btu_th]", "[Btu_th]", None),
        (BCP47, "fr", "fr", "French", "français"),
        (BCP47, "FR-ca", "fr-CA", "French (Canada)", "français (Canada)"),
        (BCP47, "zh-hant-HK", "zh-Hant-HK", "Chinese (Han (Traditional variant), Hong Kong)", None),
        (BCP47, "zh-yue", "zh-yue", "Chinese (Yue Chinese)", "chinois (cantonais)"),
        (BCP47, "sl-rozaj", "sl-rozaj", "Slovenian (Resian)", "slovène (Resian)"),
        (BCP47, "de-DE-u-co-phonebk", "de-DE-u-co-phonebk", "German (Germany, u-co-phonebk)", None),
        (BCP47, "x-interne", "x-interne", "x-interne", None),
        (BCP47, "i-klingon", "i-klingon", "Klingon", None),
        (BCP47, "qaa", "qaa", "Private use", None),
        (BCP13, "text/plain", "text/plain", "text/plain", None),
        (BCP13, "Application/FHIR+JSON; fhirVersion=4.0", "application/fhir+json; fhirVersion=4.0", None, None),
        (BCP13, "application/vnd.cnrms.msma", "application/vnd.cnrms.msma", None, None),
        (ISO3166, "FR", "FR", "France", "France"),
        (ISO3166, "DEU", "DEU", "Germany", "Allemagne"),
        (ISO3166, "276", "276", "Germany", "Allemagne"),
        (ISO4217, "EUR", "EUR", "Euro", "euro"),
        (ISO4217, "CHF", "CHF", "Swiss Franc", "franc suisse"),
        (ZONES, "Europe/Paris", "Europe/Paris", "Europe/Paris", None),
    ],
)
def test_a_code_is_found_with_its_names(
    url: str, code: str, written: str, display: str | None, french: str | None
) -> None:
    provider = system(url)
    assert provider.find(code) == written
    concept = provider.concept(code)
    assert concept is not None
    assert display is None or concept.display == display
    if french is not None:
        assert french in [each.value for each in concept.designations if each.language == "fr"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        *((UCUM, code) for code in ("mmHg", "KG", "", "mg/", "a b", "kkg", "{", "10^^3", "µg", "(m", "2m")),
        *((BCP47, code) for code in ("", "xx", "fr-ZZZ", "fr-FR-FR", "f", "fr_FR", "sl-rozaj-rozaj", "en-yue", "fr-")),
        *((BCP47, code) for code in ("de-a-bb-a-cc", "francais", "fr-Abcd")),
        *((BCP13, code) for code in ("", "text", "foo/bar", "text/", "text/plain;", "text/plain; a", "text/pl ain")),
        *((ISO3166, code) for code in ("fr", "XX", "000", "")),
        *((ISO4217, code) for code in ("euro", "EU", "")),
        *((ZONES, code) for code in ("Paris", "CET+1", "")),
    ],
)
def test_what_is_no_code_is_not_found(url: str, code: str) -> None:
    assert system(url).find(code) is None
    assert system(url).concept(code) is None


@pytest.mark.parametrize(
    ("url", "filter_", "passing", "failing"),
    [
        (BCP47, ("language", "=", "fr"), "fr-CA", "en-CA"),
        (BCP47, ("region", "exists", "true"), "fr-CA", "fr"),
        (BCP47, ("variant", "=", "rozaj"), "sl-rozaj", "sl"),
        (BCP13, ("type", "in", "image,video"), "image/png", "text/plain"),
        (UCUM, ("canonical", "=", "g.m-3"), "mg/dL", "mg"),
        (ISO3166, ("code", "regex", "[A-Z]{3}"), "FRA", "FR"),
        (ISO4217, ("inactive", "=", "true"), "FRF", "EUR"),
    ],
)
def test_filters_are_asked_of_single_codes(
    url: str, filter_: tuple[str, str, str], passing: str, failing: str
) -> None:
    passes = system(url).matcher([Filter(*filter_)])
    assert (passes(passing), passes(failing)) == (True, False)


def test_rules_have_no_hierarchy() -> None:
    ucum = system(UCUM)
    with pytest.raises(UnknownFilter):
        ucum.matcher([Filter("concept", "is-a", "m")])
    assert (ucum.subsumes("m", "m"), ucum.subsumes("m", "cm"), ucum.subsumes("?", "?")) == (True, False, False)
    assert (ucum.parents("m"), ucum.children("m"), ucum.ancestors("m"), ucum.descendants("m")) == ((), (), (), ())
    assert (ucum.can_enumerate, ucum.total, list(ucum.select())) == (False, None, [])


def test_a_supplement_names_units() -> None:
    supplement = {
        "url": "https://example.org/units-fr",
        "version": "1",
        "content": "supplement",
        "supplements": UCUM,
        "concept": [{"code": "mo_s", "designation": [{"language": "fr", "value": "mois synodique"}]}],
    }
    provider = system(UCUM).supplemented([supplement])
    concept = provider.concept("mo_s")
    assert concept is not None
    assert [(each.value, each.source) for each in concept.designations] == [
        ("mois synodique", "https://example.org/units-fr|1")
    ]
    assert provider.supplements == ("https://example.org/units-fr|1",)


def test_every_named_unit_is_one() -> None:
    assert [code for code in NAMES if not is_unit(code)] == []


def test_every_common_unit_of_r4_is_known() -> None:
    (common,) = (row for row in table("value_sets") if row["url"] == "http://hl7.org/fhir/ValueSet/ucum-common")
    codes = {concept["code"] for concept in common["compose"]["include"][0]["concept"]}
    assert len(codes) > 1000
    assert {code for code in codes if not is_unit(code)} == set()


ATOMS = st.sampled_from(sorted({*BASES, *METRIC, *OTHERS, *(f"{prefix}g" for prefix in PREFIXES)}))
EXPONENTS = st.sampled_from(["", "", "", "2", "-1"])
FACTORS = st.builds("{}{}{}".format, ATOMS, EXPONENTS, st.sampled_from(["", "", "{dry}"]))
UNITS = st.lists(FACTORS, min_size=1, max_size=3).map("/".join)


@settings(max_examples=40, deadline=None)
@given(unit=UNITS)
def test_what_our_reader_takes_for_a_unit_the_library_does_too(unit: str) -> None:
    assert find_unit(unit) is None or _parses()(unit)


def test_every_system_of_the_tables_answers_for_its_first_code() -> None:
    rows = [row for row in table("code_systems") if row.get("concept") and row["content"] != "supplement"]
    assert len(rows) > 1000
    silent = []
    for row in rows:
        first = row["concept"][0]
        code = first if isinstance(first, str) else first[0]
        # Some v2 tables have their version in the canonical URL.
        provider = TERMINOLOGY.code_system(row["url"])
        concept = provider.concept(code) if provider else None
        if concept is None or concept.code != code:
            silent.append(row["url"])
    assert silent == []
