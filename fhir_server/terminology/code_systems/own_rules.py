"""Which code systems have rules, or a registry, of their own, and what opens each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from fhir_server.spec import ucum
from fhir_server.terminology.code_systems import language_tags, listed, media_types, units
from fhir_server.terminology.code_systems.provider import CodeSystemProvider

OWN_RULES: Mapping[str, Callable[[], Sequence[CodeSystemProvider]]] = MappingProxyType(
    {
        ucum.SYSTEM: lambda: (units.code_system(),),
        language_tags.SYSTEM: lambda: (language_tags.code_system(),),
        media_types.SYSTEM: lambda: (media_types.code_system(),),
        listed.COUNTRIES: lambda: (listed.countries(),),
        listed.CURRENCIES: lambda: (listed.currencies(),),
        listed.TIME_ZONES: lambda: (listed.time_zones(),),
    }
)
