"""FHIRPath text to syntax tree, by operator precedence. Precedence: https://hl7.org/fhirpath/N1/#operator-precedence"""

from decimal import Decimal

from fhir_server.fhirpath.lexer import Token, syntax_error, tokenize
from fhir_server.fhirpath.syntax import (
    Binary,
    Call,
    EmptySet,
    Expr,
    Indexer,
    Literal,
    Member,
    Polarity,
    Special,
    TypeTest,
    Variable,
)

_LEVELS = [
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "~", "!=", "!~"),
    ("<", ">", "<=", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
]
_POWERS = {operator: power for power, operators in enumerate(_LEVELS, 1) for operator in operators}
_UNARY_POWER = len(_LEVELS) + 1
_WORD_OPERATORS = {operator for operator in _POWERS if operator.isalpha()}
_UNITS = {"year", "month", "week", "day", "hour", "minute", "second", "millisecond"}
CALENDAR_UNITS = _UNITS | {f"{unit}s" for unit in _UNITS}


def parse(expression: str) -> Expr:
    """Returns the tree of `expression`; raises InvalidContent where it leaves the grammar."""
    parser = _Parser(expression)
    tree = parser.expression(0)
    if parser.token.kind != "end":
        raise parser.error()
    return tree


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def error(self) -> Exception:
        return syntax_error(self.text, self.token.position)

    def take(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def is_symbol(self, text: str) -> bool:
        return self.token.kind == "symbol" and self.token.text == text

    def expect(self, text: str) -> None:
        if not self.is_symbol(text):
            raise self.error()
        self.index += 1

    def operator(self) -> str | None:
        token = self.token
        if token.kind == "symbol" or (token.kind == "name" and token.text in _WORD_OPERATORS):
            return token.text if token.text in _POWERS else None
        return None

    def expression(self, floor: int) -> Expr:
        left = self.unary()
        while (operator := self.operator()) is not None and _POWERS[operator] > floor:
            self.index += 1
            if operator in ("is", "as"):
                left = TypeTest(operator, left, self.type_name())
            else:
                left = Binary(operator, left, self.expression(_POWERS[operator]))
        return left

    def unary(self) -> Expr:
        if self.is_symbol("-"):
            self.index += 1
            return Polarity(self.expression(_UNARY_POWER))
        if self.is_symbol("+"):
            self.index += 1
            return self.expression(_UNARY_POWER)
        return self.path()

    def path(self) -> Expr:
        left = self.term()
        while True:
            if self.is_symbol("."):
                self.index += 1
                left = self.invocation(left)
            elif self.is_symbol("["):
                self.index += 1
                left = Indexer(left, self.expression(0))
                self.expect("]")
            else:
                return left

    def term(self) -> Expr:
        kind, text = self.token.kind, self.token.text
        if kind == "symbol":
            return self.bracketed()
        if kind == "name" and text in ("true", "false"):
            self.index += 1
            return Literal("System.Boolean", text == "true")
        if kind in ("name", "quoted", "special"):
            return self.invocation(None)
        self.index += 1
        if kind == "string":
            return Literal("System.String", text)
        if kind == "number":
            return self.number(text)
        if kind == "temporal":
            return _temporal(text)
        if kind == "variable":
            return Variable(text)
        self.index -= 1
        raise self.error()

    def bracketed(self) -> Expr:
        if self.is_symbol("{"):
            self.index += 1
            self.expect("}")
            return EmptySet()
        self.expect("(")
        inside = self.expression(0)
        self.expect(")")
        return inside

    def number(self, text: str) -> Literal:
        number = Decimal(text) if "." in text else int(text)
        token = self.token
        if token.kind == "string":
            self.index += 1
            quantity = {"value": number, "unit": token.text, "code": token.text, "system": "http://unitsofmeasure.org"}
            return Literal("System.Quantity", quantity)
        if token.kind == "name" and token.text in CALENDAR_UNITS:
            self.index += 1
            return Literal("System.Quantity", {"value": number, "unit": token.text})
        return Literal("System.Decimal" if "." in text else "System.Integer", number)

    def invocation(self, source: Expr | None) -> Expr:
        token = self.take()
        if token.kind == "special":
            return Special(token.text)
        if token.kind not in ("name", "quoted"):
            self.index -= 1
            raise self.error()
        if not self.is_symbol("("):
            return Member(source, token.text)
        self.index += 1
        if token.text in ("is", "as", "ofType"):
            name = self.type_name()
            self.expect(")")
            return TypeTest(token.text, source, name, function=True)
        return Call(source, token.text, self.arguments())

    def arguments(self) -> tuple[Expr, ...]:
        if self.is_symbol(")"):
            self.index += 1
            return ()
        arguments = [self.expression(0)]
        while self.is_symbol(","):
            self.index += 1
            arguments.append(self.expression(0))
        self.expect(")")
        return tuple(arguments)

    def type_name(self) -> str:
        names = [self.name()]
        while self.is_symbol("."):
            self.index += 1
            names.append(self.name())
        return ".".join(names)

    def name(self) -> str:
        token = self.take()
        if token.kind not in ("name", "quoted"):
            self.index -= 1
            raise self.error()
        return token.text


def _temporal(text: str) -> Literal:
    if text.startswith("T"):
        return Literal("System.Time", text[1:])
    if "T" in text:
        return Literal("System.DateTime", text.removesuffix("T"))
    return Literal("System.Date", text)
