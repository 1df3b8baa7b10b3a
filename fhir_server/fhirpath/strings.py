"""FHIRPath functions on strings. https://hl7.org/fhirpath/N1/#string-manipulation"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote, unquote

from fhir_server.fhirpath.lexer import unescape
from fhir_server.fhirpath.operators import boolean, single, text, whole_number
from fhir_server.fhirpath.scope import Scope
from fhir_server.fhirpath.values import INTEGER, STRING, Nodes, evaluation_error


def _on_text(function: Callable[..., Nodes]) -> Callable[..., Nodes]:
    """Returns the function for collections: empty when the focus or any argument is."""

    def plain(nodes: Nodes, _scope: Scope, *arguments: Nodes) -> Nodes:
        value = text(nodes)
        given = [text(argument) for argument in arguments]
        if value is None or None in given:
            return []
        return function(value, *given)

    return plain


def _strings(*values: str) -> Nodes:
    return [(STRING, value, None) for value in values]


@lru_cache(maxsize=4096)
def pattern(regex: str) -> re.Pattern[str]:
    """Returns the compiled regular expression; a dot matches a line break, as FHIRPath asks."""
    try:
        return re.compile(regex, re.DOTALL)
    except re.error as error:
        raise evaluation_error(
            f"Regular expression `{regex}` is wrong.", f"L’expression rationnelle `{regex}` est fausse."
        ) from error


def _replacement(substitution: str) -> str:
    return re.sub(r"\$(\d+|\{(\w+)\})", lambda m: f"\\g<{m[2] or m[1]}>", substitution.replace("\\", "\\\\"))


def _replace_matches(value: str, regex: str, substitution: str) -> Nodes:
    return _strings(pattern(regex).sub(_replacement(substitution), value) if regex else value)


def _substring(nodes: Nodes, _scope: Scope, start: Nodes, length: Nodes | None = None) -> Nodes:
    value, begin = text(nodes), whole_number(start)
    if value is None or begin is None or not 0 <= begin < len(value):
        return []
    count = whole_number(length) if length else None
    return _strings(value[begin:] if count is None else value[begin : begin + max(count, 0)])


def _join(nodes: Nodes, _scope: Scope, separator: Nodes = ()) -> Nodes:
    if not nodes:
        return []
    return _strings((text(separator) or "").join(str(node[1]) for node in nodes if node[1] is not None))


def _index_of(value: str, sought: str) -> Nodes:
    return [(INTEGER, value.find(sought), None)]


_ENCODERS: dict[str, Callable[[str], str]] = {
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "urlbase64": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
}
_DECODERS: dict[str, Callable[[str], str]] = {
    "hex": lambda value: bytes.fromhex(value).decode(),
    "base64": lambda value: base64.b64decode(value, validate=True).decode(),
    "urlbase64": lambda value: base64.urlsafe_b64decode(value).decode(),
}
_ESCAPERS: dict[str, Callable[[str], str]] = {
    "html": lambda value: html.escape(value, quote=True),
    "json": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "url": lambda value: quote(value, safe=""),
}
_UNESCAPERS: dict[str, Callable[[str], str]] = {
    "html": html.unescape,
    "json": unescape,
    "url": unquote,
}


def _coded(table: dict[str, Callable[[str], str]]) -> Callable[..., Nodes]:
    def function(value: str, form: str) -> Nodes:
        if form not in table:
            return []
        try:
            return _strings(table[form](value))
        except (ValueError, binascii.Error):
            return []

    return _on_text(function)


def _is_match(value: str, regex: str) -> Nodes:
    return [boolean(pattern(regex).search(value) is not None)]


def _length(nodes: Nodes, _scope: Scope) -> Nodes:
    value = text(nodes)
    return [] if value is None else [(INTEGER, len(value), None)]


def _contains(nodes: Nodes, scope: Scope, sought: Nodes) -> Nodes:
    if nodes and not isinstance(single(nodes)[1], str):
        raise evaluation_error("`contains()` takes a string.", "`contains()` s’applique à une chaîne.")
    return _on_text(lambda value, part: [boolean(part in value)])(nodes, scope, sought)


PLAIN: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "startsWith": ({1}, _on_text(lambda value, part: [boolean(value.startswith(part))])),
    "endsWith": ({1}, _on_text(lambda value, part: [boolean(value.endswith(part))])),
    "contains": ({1}, _contains),
    "indexOf": ({1}, _on_text(_index_of)),
    "substring": ({1, 2}, _substring),
    "upper": ({0}, _on_text(lambda value: _strings(value.upper()))),
    "lower": ({0}, _on_text(lambda value: _strings(value.lower()))),
    "trim": ({0}, _on_text(lambda value: _strings(value.strip()))),
    "length": ({0}, _length),
    "toChars": ({0}, _on_text(lambda value: _strings(*value))),
    "split": ({1}, _on_text(lambda value, separator: _strings(*value.split(separator)))),
    "join": ({0, 1}, _join),
    "replace": ({2}, _on_text(lambda value, old, new: _strings(value.replace(old, new)))),
    "replaceMatches": ({2}, _on_text(_replace_matches)),
    "matches": ({1}, _on_text(_is_match)),
    "matchesFull": ({1}, _on_text(lambda value, regex: [boolean(pattern(regex).fullmatch(value) is not None)])),
    "encode": ({1}, _coded(_ENCODERS)),
    "decode": ({1}, _coded(_DECODERS)),
    "escape": ({1}, _coded(_ESCAPERS)),
    "unescape": ({1}, _coded(_UNESCAPERS)),
}
