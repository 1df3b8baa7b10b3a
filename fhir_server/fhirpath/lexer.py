"""The words of a FHIRPath expression. Lexical rules: https://hl7.org/fhirpath/N1/#lexical-elements"""

import re
from dataclasses import dataclass

from fhir_server.errors import InvalidContent


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `kind` is string, number, temporal, name, special, variable, symbol or end."""

    kind: str
    text: str
    position: int


_WORDS = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*|/\*.*?\*/)
    | (?P<temporal>@T\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?(?!\d|Z|[+-]\d{2}:)
        |@\d{4}(?:-\d{2}(?:-\d{2})?)?(?:T(?:\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:\d{2})?)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<variable>%(?:[A-Za-z_][\w-]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<special>\$(?:this|index|total))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<symbol><=|>=|!=|!~|[-+*/&|=~<>.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def unescape(text: str) -> str:
    """Returns the characters a string literal stands for, its quotes already taken off."""
    return _ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 5 else _ESCAPES.get(m[1], m[1]), text)


def syntax_error(expression: str, position: int) -> InvalidContent:
    """Returns the refusal of an expression that does not follow the grammar."""
    return InvalidContent(
        f"FHIRPath `{expression}` is wrong at character {position + 1}.",
        f"L’expression FHIRPath `{expression}` est fausse au caractère {position + 1}.",
        rule="fhirpath-syntax",
    )


def tokenize(expression: str) -> list[Token]:
    """Returns the words of `expression`, closed by an `end`; raises InvalidContent where no word starts."""
    tokens = []
    position = 0
    while position < len(expression):
        match = _WORDS.match(expression, position)
        if match is None:
            raise syntax_error(expression, position)
        token = _token(match)
        if token is not None:
            tokens.append(token)
        position = match.end()
    tokens.append(Token("end", "", position))
    return tokens


def _token(match: re.Match[str]) -> Token | None:
    kind, text = match.lastgroup or "", match.group()
    if kind == "space":
        return None
    if kind in ("string", "quoted"):
        return Token(kind, unescape(text[1:-1]), match.start())
    if kind == "variable":
        name = text[1:]
        return Token(kind, name if name[0] not in "`'" else unescape(name[1:-1]), match.start())
    if kind in ("special", "temporal"):
        return Token(kind, text[1:], match.start())
    return Token(kind, text, match.start())
