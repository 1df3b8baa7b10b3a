"""`_list`: resources that are entries of a List.

https://hl7.org/fhir/R4/search.html#list

An entry that is marked as deleted is none. Functional lists (`$current-problems`) are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.index.entries import split, unescape
from fhir_server.search.criteria import Member
from fhir_server.search.refusals import invalid_value, no_functional_list
from fhir_server.spec.primitives import is_id

if TYPE_CHECKING:
    from fhir_server.index import SearchParameterRegistry


def parse_list(_resource_type: str, value: str, _registry: SearchParameterRegistry) -> Member:
    """Returns what `_list=value` asks. Raises NotSupported for a functional list, InvalidContent for what is no id."""
    ids = []
    for text in split(value, ","):
        id_ = unescape(text).removeprefix("List/")
        if id_.startswith("$"):
            raise no_functional_list(id_)
        if not is_id(id_):
            raise invalid_value("_list", text, "the id of a List is expected", "l'id d'une List est attendu")
        ids.append(id_)
    return Member(tuple(ids))
