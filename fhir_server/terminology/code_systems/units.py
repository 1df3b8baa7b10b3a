"""UCUM units: our reader first, which knows those that FHIR data uses, then the library `ucumvert`, which knows all.

https://ucum.org/ucum, https://hl7.org/fhir/R4/ucum.html

The library costs some 160 ms and 20 MB when it is first needed, and half a millisecond per code; so a server that only
meets common units never loads it. What it answers is kept for 4,096 codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

from fhir_server.spec.ucum import SYSTEM, find_unit
from fhir_server.terminology.code_systems.concept import Concept, Designation, PropertyValue
from fhir_server.terminology.code_systems.ruled import RuledCodeSystem
from fhir_server.terminology.code_systems.unit_names import NAMES

VERSION = "2.2"
_LONGEST = 200
# UCUM is written in printable ASCII without spaces; R4's own value set of common units has annotations with spaces.
_WRITABLE = re.compile(r"(?:[!-z|~]|\{[ -z|~]*\})+", re.ASCII)
_ANNOTATION = re.compile(r"\{[^}]*\}")


def code_system() -> RuledCodeSystem:
    """Returns UCUM as a code system; the property `canonical` is the product of base units, as in R4."""
    header = {"url": SYSTEM, "version": VERSION, "name": "UCUM", "language": "en", "caseSensitive": True}
    return RuledCodeSystem({**header, "property": [{"code": "canonical", "type": "code"}]}, read)


def read(code: str) -> Concept | None:
    """Returns a unit as a concept; the display is the code, common units have names in French and English too."""
    if not is_unit(code):
        return None
    unit = find_unit(code)
    properties = {"canonical": [PropertyValue("valueCode", unit.dimension)]} if unit else {}
    names = NAMES.get(code, ())
    designations = [Designation(name, language) for name, language in zip(names, ("en", "fr"), strict=False)]
    return Concept(code, code, properties=properties, designations=tuple(designations))


@lru_cache(maxsize=4096)
def is_unit(code: str) -> bool:
    """True for a valid UCUM code (case sensitive)."""
    if len(code) > _LONGEST or not _WRITABLE.fullmatch(code):
        return False
    return find_unit(code) is not None or _parses()(_ANNOTATION.sub("{a}", code))


@cache
def _parses() -> Callable[[str], bool]:
    from lark.exceptions import LarkError  # imported late, see the module's docstring
    from ucumvert import get_ucum_parser

    parser = get_ucum_parser()

    def parses(code: str) -> bool:
        try:
            parser.parse(code)
        except LarkError:
            return False
        return True

    return parses
