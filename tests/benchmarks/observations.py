"""Observations to send: those of synthetic pathways, as the server stores them, with what must differ left open.

Each one gets its own business identifier and its own instant, at constant length, so that a request is made from its
pattern with one formatting of bytes and no two documents are equal.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

IDENTIFIER_SYSTEM = "https://cnrms.fr/bench/identifier"
HOURS, MINUTES, SECONDS = 24, 60, 60

_NUMBER = "NNNNNNNNNN"
_INSTANT = "hh:mm:ss"
_exact = msgspec.json.Decoder(float_hook=str).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Template:
    """An Observation whose identifier and time of day follow from a number."""

    pattern: bytes

    @classmethod
    def of(cls, observation: dict[str, Any], id_: str | None = None) -> "Template":
        """Returns the template of a stored Observation, without what the server gave it; with `id_` if there is one."""
        resource = _comparable(observation)
        if id_ is not None:
            resource["id"] = id_
        resource["identifier"] = [{"system": IDENTIFIER_SYSTEM, "value": _NUMBER}]
        if "effectiveDateTime" in resource:
            resource["effectiveDateTime"] = f"{resource['effectiveDateTime'][:10]}T{_INSTANT}+01:00"
        text = _encode(resource).replace(b"%", b"%%")
        return cls(re.sub(_INSTANT.encode(), b"%(time)s", text.replace(_NUMBER.encode(), b"%(number)010d")))

    def body(self, number: int) -> bytes:
        """Returns the JSON of the Observation that belongs to `number`."""
        minutes, second = divmod(number, SECONDS)
        hours, minute = divmod(minutes, MINUTES)
        return self.pattern % {b"number": number, b"time": b"%02d:%02d:%02d" % (hours % HOURS, minute, second)}


def same_content(sent: bytes, answered: bytes) -> bool:
    """Returns whether an answered Observation is the one sent, digit for digit; the server adds id and meta."""
    return _comparable(_exact(sent)) == _comparable(_exact(answered))


def same_values(sent: bytes, answered: bytes) -> bool:
    """Returns whether an answered document is the one sent, its numbers compared as floats."""
    return _comparable(msgspec.json.decode(sent)) == _comparable(msgspec.json.decode(answered))


def _comparable(resource: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in resource["meta"].items() if key not in {"versionId", "lastUpdated"}}
    return {key: value for key, value in resource.items() if key not in {"id", "_id"}} | {"meta": meta}
