"""HL7's R4 definitions as compact tables (see `README.md` beside this file), each read once, when first asked for."""

import gzip
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@cache
def table(name: str) -> list[dict[str, Any]]:
    """Returns the rows of one table; treat them as constants.

    Names: `structure_definitions`, `code_systems`, `value_sets`, `search_parameters`, `compartments`.
    """
    packed = files(__package__).joinpath(f"{name}.json.gz").read_bytes()
    rows: list[dict[str, Any]] = _decoder.decode(gzip.decompress(packed))
    return rows


@cache
def structure_definitions() -> dict[str, dict[str, Any]]:
    """Returns R4's StructureDefinitions by URL: types with `snapshot`, profiles and extensions with `differential`."""
    return {row["url"]: row for row in table("structure_definitions")}


@cache
def resource_types() -> frozenset[str]:
    """Returns the names of the 146 resource types that have instances."""
    return frozenset(
        row["type"]
        for row in table("structure_definitions")
        if row["kind"] == "resource" and row.get("derivation") == "specialization" and not row["abstract"]
    )
