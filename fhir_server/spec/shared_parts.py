"""Parts of resources that recur: one object for all resources that hold them, known again by its identity.

The codes, categories, performers and tags of clinical data are the same in one resource after the other: of synthetic
pathways three quarters of all JSON. So the members of a resource that are objects or arrays, and the items of
these arrays, are looked up by their JSON text; from the second time on one object stands for that text. Whoever looks
at resources may note at the part what it found out (`facts`), under a key of its own, and needs not look again.
What it notes must follow from the value alone.

Nobody may change what is shared: others hold the same objects.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

LARGEST = 2048
"""Bytes of JSON of a part; what is larger hardly ever recurs."""
MOST = 2048
"""Parts that are known at a time; where there are more, all are forgotten."""

_MOST_SEEN = 16_384
_encode = msgspec.json.Encoder(decimal_format="number").encode


class SharedPart:
    """One object or array that recurs, with what is known of it.

    `may_be_filled_in` where there are references or narratives inside, which a transaction fills in.
    """

    __slots__ = ("facts", "may_be_filled_in", "value")

    def __init__(self, value: Any, *, may_be_filled_in: bool) -> None:
        self.value = value
        self.may_be_filled_in = may_be_filled_in
        self.facts: dict[Any, Any] = {}


_by_text: dict[bytes, SharedPart] = {}
_by_identity: dict[int, SharedPart] = {}
_seen: set[int] = set()

part_by_identity = _by_identity.get
"""Takes the `id` of a value that is alive, and returns the part that it is, or None."""


def share_parts(resource: dict[str, Any], *, to_be_filled_in: bool = False) -> None:
    """Puts parts into a resource in place of what is equal to them; content may be of any shape.

    `to_be_filled_in` where references and narratives inside will change: these are left as they are.
    """
    # What JSON cannot say, such as integers beyond 64 bits, stays as it is.
    with suppress(OverflowError, ValueError):
        _share_members(resource, to_be_filled_in)


def _share_members(resource: dict[str, Any], to_be_filled_in: bool) -> None:
    for name, value in resource.items():
        kind = type(value)
        if kind is dict:
            if name == "meta":
                # The server gives every resource a `meta` of its own, of the parts that were sent.
                _share_members(value, to_be_filled_in)
            elif not (to_be_filled_in and "reference" in value):
                resource[name] = _shared(value, to_be_filled_in)
        elif kind is list and value:
            first = value[0]
            if not (to_be_filled_in and type(first) is dict and "reference" in first):
                resource[name] = _shared(value, to_be_filled_in)


def _shared(value: Any, to_be_filled_in: bool) -> Any:
    """Returns the part that is equal to the value, else the value, which becomes one where it is seen again."""
    text = _encode(value)
    part = _by_text.get(text)
    if part is not None:
        return value if to_be_filled_in and part.may_be_filled_in else part.value
    if type(value) is list:
        for number, item in enumerate(value):
            if type(item) is dict:
                value[number] = _shared(item, to_be_filled_in)
    if len(text) <= LARGEST:
        if hash(text) in _seen:
            _keep(text, value, to_be_filled_in)
        elif len(_seen) < _MOST_SEEN:
            _seen.add(hash(text))
        else:
            _seen.clear()
    return value


def _keep(text: bytes, value: Any, to_be_filled_in: bool) -> None:
    may_be_filled_in = b'"reference"' in text or b'"div"' in text
    if to_be_filled_in and may_be_filled_in:
        return
    if len(_by_text) >= MOST:
        forget_parts()
    _by_text[text] = _by_identity[id(value)] = SharedPart(value, may_be_filled_in=may_be_filled_in)


def altered_parts() -> list[bytes]:
    """Returns the texts of parts that somebody has changed, which nobody may."""
    return [text for text, part in _by_text.items() if _encode(part.value) != text]


def forget_parts() -> None:
    """Forgets all parts; those in use are objects like others from then on."""
    _by_text.clear()
    _by_identity.clear()
    _seen.clear()
