"""FHIR JSON in and out, decimals kept digit for digit.

Numbers with a point or an exponent become `Decimal`, so `1.00` stays `1.00`; binary floats appear nowhere. What JSON
leaves open is refused, since FHIR does: an object with the same name twice, and anything that is not a resource.
https://hl7.org/fhir/R4/json.html
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from fhir_server.errors import InvalidContent, MalformedContent

DEPTH_LIMIT = 64
"""Nesting that no real resource needs; deeper content is refused before anything walks it."""

RawJson = msgspec.Raw
"""Bytes of JSON that stand in content for what they say, and are written as they are; `unpacked` decodes them."""

_CONTAINERS = frozenset({dict, list})
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_place = re.compile(r"(?:byte|position) (\d+)")


def decode(data: bytes) -> dict[str, Any]:
    """Returns the JSON object in `data`.

    Raises MalformedContent when it is not JSON or not an object, InvalidContent when a name stands twice in an object
    or the nesting is deeper than `DEPTH_LIMIT`.
    """
    content = _decode(data)
    if type(content) is not dict:
        raise MalformedContent(
            "The body is JSON, but not an object.", "Le corps est du JSON, mais pas un objet.", rule="json-object"
        )
    return content


def decode_array(data: bytes) -> list[Any]:
    """Returns the JSON array in `data`; raises what `decode` does."""
    content = _decode(data)
    if type(content) is not list:
        raise MalformedContent(
            "The body is JSON, but not an array.", "Le corps est du JSON, mais pas un tableau.", rule="json-array"
        )
    return content


def _decode(data: bytes) -> Any:
    try:
        content = _decoder.decode(data)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError) as error:
        raise _not_json(error, data) from None
    if _may_be_deep(data) and type(content) in (dict, list):
        _check_depth(content)
    if _may_have_lost_names(data, content):
        _refuse_repeated_names(data)
    return content


def decode_trusted(data: bytes) -> dict[str, Any]:
    """Returns the JSON object in `data`, which `encode` has made."""
    content: dict[str, Any] = _decoder.decode(data)
    return content


def unpacked(content: Any) -> Any:
    """Returns content with every `RawJson` in it decoded, for those who look at what it says."""
    if isinstance(content, RawJson):
        return _decoder.decode(content)
    if isinstance(content, dict):
        return {name: unpacked(value) for name, value in content.items()}
    if isinstance(content, list):
        return [unpacked(value) for value in content]
    return content


def encode(content: Any) -> bytes:
    """Returns compact JSON; decimals as they were sent."""
    return _encoder.encode(content)


def encode_pretty(content: Any) -> bytes:
    """Returns JSON indented by two spaces."""
    return format_pretty(_encoder.encode(content))


def format_pretty(data: bytes) -> bytes:
    """Returns the same JSON indented by two spaces."""
    return msgspec.json.format(data, indent=2)


def is_same_content(one: Any, other: Any) -> bool:
    """True when both are equal digit for digit; the order of names does not count, that of lists does."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same_content(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same_content, one, other))
    if isinstance(one, Decimal):
        return bool(one.as_tuple() == other.as_tuple())
    return bool(one == other)


def _may_be_deep(data: bytes) -> bool:
    """False where there are too few brackets for content deeper than the limit: most single resources."""
    return data.count(b"{") + data.count(b"[") > DEPTH_LIMIT


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(DEPTH_LIMIT):
        level = [
            value
            for node in level
            for value in (node.values() if type(node) is dict else node)
            if type(value) in _CONTAINERS
        ]
        if not level:
            return
    raise _too_deep()


def _may_have_lost_names(data: bytes, content: Any) -> bool:
    """False where every colon of `data` is in `content` too: a name that stood twice would have lost one.

    A colon written as an escape would make up for it, so such content is looked at in any case.
    """
    if b"\\" in data and b"\\u003" in data:
        return True
    try:
        return data.count(b":") != _encoder.encode(content).count(b":")
    except (OverflowError, ValueError):  # integers that no JSON writer here takes
        return True


def _refuse_repeated_names(data: bytes) -> None:
    """The counted colons only hint at a repetition; this slower reading is certain."""
    json.loads(data, object_pairs_hook=_unique)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise InvalidContent(
                f"The name `{name}` stands twice in one object.",
                f"Le nom `{name}` figure deux fois dans un même objet.",
                rule="json-duplicate-name",
            )
        result[name] = value
    return result


def _too_deep() -> InvalidContent:
    return InvalidContent(
        f"The content is nested deeper than {DEPTH_LIMIT} levels.",
        f"Le contenu est imbriqué sur plus de {DEPTH_LIMIT} niveaux.",
        rule="json-depth",
    )


def _not_json(error: Exception, data: bytes) -> MalformedContent:
    """The decoder says where in English; the place, which is what helps, is said in both languages."""
    at, a_la = "", ""
    if found := _place.search(str(error)):
        before = data[: int(found[1])]
        line, last = before.count(b"\n") + 1, before[before.rfind(b"\n") + 1 :]
        column = len(last.decode(errors="replace")) + 1
        at, a_la = f" at line {line}, column {column}", f" à la ligne {line}, colonne {column}"
    return MalformedContent(
        f"The body cannot be read as JSON{at}: a fault of syntax, a number out of range, or text that is not UTF-8.",
        f"Le corps ne peut être lu comme du JSON{a_la} : syntaxe fautive, nombre hors limites ou texte qui n'est pas"
        " de l'UTF-8.",
        rule="json",
    )
