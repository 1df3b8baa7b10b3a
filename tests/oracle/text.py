r"""Search values as text: separators, escapes, prefixes, and letters compared without case and accents.

https://hl7.org/fhir/R4/search.html#escaping, https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

import re
import unicodedata

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

_PREFIXED = re.compile(rf"({'|'.join(PREFIXES)})(?=[\d.+-])")
# Letters that Unicode does not take apart.
_LIGATURES = {"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th", "ħ": "h"}


def split(text: str, separator: str) -> list[str]:
    """Returns the parts between separators that no backslash stands before; the parts keep their backslashes."""
    parts, escaped = [""], False
    for character in text:
        if character == separator and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = character == "\\" and not escaped
    return parts


def escape(text: str) -> str:
    """Returns text with a backslash before what has a meaning in search values."""
    return re.sub(r"([\\,|$])", r"\\\1", text)


def unescape(text: str) -> str:
    """Returns text without the backslashes of `escape`."""
    return re.sub(r"\\([\\,|$])", r"\1", text)


def prefix_of(text: str) -> tuple[str, str]:
    """Returns (prefix, the rest); `eq` where there is none."""
    found = _PREFIXED.match(text)
    return (found[1], text[2:]) if found else ("eq", text)


def folded(text: str) -> str:
    """Returns the letters and digits of a text, lower case, without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    apart = "".join(_LIGATURES.get(each, each) for each in parts).casefold()
    return "".join(each for each in apart if each.isalnum()) or "".join(apart.split())


def accented(text: str) -> str:
    """Returns the letters and digits of a text, lower case, each followed by its accents."""
    apart = unicodedata.normalize("NFD", text.casefold())
    return "".join(each for each in apart if each.isalnum() or unicodedata.combining(each))
