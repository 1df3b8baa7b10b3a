"""The registries of languages, countries and currencies, each read once, when first asked for.

`compile_registries` says where they come from.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


@cache
def registries() -> dict[str, Any]:
    """Returns `subtags` (by section: `[English, {prefix, deprecated}]`), `french` (names by section), `countries`
    (`[alpha-2, alpha-3, number, English, French]`), `currencies` (`[code, English, French, in use]`).
    """
    packed = files(__package__).joinpath("registries.json.gz").read_bytes()
    read: dict[str, Any] = msgspec.json.decode(gzip.decompress(packed))
    return read
