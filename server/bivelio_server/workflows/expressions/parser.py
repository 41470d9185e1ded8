"""Tokens into a tree: precedence climbing over CEL's grammar, within `limits`, every function checked."""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Literal as OneOf
from typing import TypeVar

from bivelio_server.workflows.expressions.errors import (
    EvaluationError,
    ExpressionError,
    ExpressionSyntaxError,
    LimitError,
    shown,
)
from bivelio_server.workflows.expressions.functions import FUNCTIONS, METHODS
from bivelio_server.workflows.expressions.hints import function_hint, hint
from bivelio_server.workflows.expressions.lexer import Token, tokens
from bivelio_server.workflows.expressions.limits import CACHED_SOURCE, MAX_DEPTH, MAX_NODES, MAX_SOURCE
from bivelio_server.workflows.expressions.macro_forms import MACRO_FORMS, wrong_macro
from bivelio_server.workflows.expressions.numbers import decimal_from, int64
from bivelio_server.workflows.expressions.syntax import (
    Binding,
    Call,
    Choice,
    Expression,
    Fallback,
    Field,
    Has,
    Index,
    Junction,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Name,
    Negation,
    Node,
    Operation,
)

_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
# fmt: off
_RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop",
    "namespace", "package", "return", "var", "void", "while",
})
# fmt: on
#: No value can be called so.
NOT_NAMES = _RESERVED | _CONSTANTS.keys()
_POWERS = (
    {"||": 1, "&&": 2}
    | dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3)
    | dict.fromkeys("+-", 4)
    | dict.fromkeys("*/%", 5)
)

_Tree = TypeVar("_Tree", bound=Node)


def parse(source: str) -> Expression:
    """The expression of a source; ExpressionError with its column when it is not one or exceeds a limit."""
    _check_size(source)
    try:
        return _parse(source) if len(source) <= CACHED_SOURCE else _parse.__wrapped__(source)
    except RecursionError:
        raise _too_deep(1) from None


@lru_cache(maxsize=1024)
def _parse(source: str) -> Expression:
    parser = _Parser(source)
    return Expression(source, parser.whole(), parser.nodes)


def _check_size(source: str) -> None:
    try:
        size = len(source[: MAX_SOURCE + 1].encode())
    except UnicodeEncodeError as error:
        raise ExpressionSyntaxError(
            "La expresión no es Unicode válido.", "The expression is not valid Unicode.", error.start + 1
        ) from None
    if size > MAX_SOURCE:
        raise LimitError(
            f"La expresión ocupa más de {MAX_SOURCE} bytes.",
            f"The expression is longer than {MAX_SOURCE} bytes.",
            1,
        )


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens: Iterator[Token] = tokens(source)
        self._token = next(self._tokens)
        self.nodes = 0
        self._nesting = 0

    def whole(self) -> Node:
        root = self._expression()
        if self._token.kind != "end":
            raise self._unexpected()
        return root

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > MAX_DEPTH:
            raise _too_deep(self._token.start + 1)
        node = self._operations(1)
        if self._token.kind == "?":
            node = self._choice(node)
        self._nesting -= 1
        return node

    def _choice(self, condition: Node) -> Node:
        column = self._take().start + 1
        positive = self._expression()
        self._expect(":")
        negative = self._expression()
        return self._grown(Choice(column, _above(condition, positive, negative), condition, positive, negative))

    def _operations(self, least: int) -> Node:
        """Operands joined by operators that bind at least as tightly as `least`."""
        left = self._unary()
        while (power := _POWERS.get(self._operator(), 0)) >= least:
            operator = self._take()
            left = self._joined(operator, left, self._operations(power + 1))
        return left

    def _joined(self, operator: Token, left: Node, right: Node) -> Node:
        depth, column = _above(left, right), operator.start + 1
        if operator.kind not in {"&&", "||"}:
            return self._grown(Operation(column, depth, operator.text, left, right))
        settles = operator.kind == "||"
        if isinstance(left, Junction) and left.settles == settles:
            depth = max(left.depth, right.depth + 1)
            return self._grown(Junction(left.column, depth, settles, (*left.clauses, right)))
        return self._grown(Junction(column, depth, settles, (left, right)))

    def _operator(self) -> str:
        return self._token.text if self._token.kind == "name" else self._token.kind

    def _unary(self) -> Node:
        if self._token.kind == "!":
            return self._negation("!")
        if self._token.kind == "-":
            return self._negation("-")
        return self._member()

    def _negation(self, sign: OneOf["!", "-"]) -> Node:
        columns: list[int] = []
        while self._token.kind == sign:
            columns.append(self._take().start + 1)
        if sign == "-" and self._token.kind == "number":
            operand = self._member(self._number(columns.pop(), "-"))
        else:
            operand = self._member()
        for column in reversed(columns):
            operand = self._grown(Negation(column, _above(operand), sign, operand))
        return operand

    def _member(self, start: Node | None = None) -> Node:
        node = start or self._primary()
        while True:
            if self._token.kind == ".":
                self._take()
                node = self._selection(node)
            elif self._token.kind == "[":
                column = self._take().start + 1
                optional = self._question()
                key = self._expression()
                self._expect("]")
                node = self._grown(Index(column, _above(node, key), node, key, optional))
            else:
                return node

    def _question(self) -> bool:
        """Takes the `?` that makes what follows optional."""
        if self._token.kind != "?":
            return False
        self._take()
        return True

    def _selection(self, target: Node) -> Node:
        optional = self._question()
        name = self._token
        if name.kind != "name" or name.text in _CONSTANTS or name.text == "in":
            raise self._unexpected()
        self._take()
        if optional or self._token.kind != "(":
            return self._grown(Field(name.start + 1, _above(target), target, name.text, optional))
        arguments = self._arguments()
        space = target.name if isinstance(target, Name) else ""
        if (space, name.text) == ("cel", "bind"):
            return self._binding(name, arguments)
        if f"{space}.{name.text}" in FUNCTIONS:
            return self._call(name, arguments, f"{space}.{name.text}")
        if name.text in MACRO_FORMS:
            return self._macro(name, target, arguments)
        if name.text in {"or", "orValue"} and len(arguments) == 1:
            depth = _above(target, *arguments)
            return self._grown(Fallback(name.start + 1, depth, target, arguments[0], name.text == "orValue"))
        return self._call(name, (target, *arguments), method=True)

    def _primary(self) -> Node:
        token = self._token
        if token.kind == "number":
            return self._number(token.start + 1)
        if token.kind == "string":
            self._take()
            return self._grown(Literal(token.start + 1, 1, token.text))
        if token.kind == "name":
            return self._name()
        if token.kind == "(":
            return self._bracketed()
        if token.kind == "[":
            return self._list()
        if token.kind == "{":
            return self._map()
        raise self._unexpected()

    def _number(self, column: int, sign: str = "") -> Node:
        text = self._take().text
        try:
            value: int | Decimal
            if text[:2] in {"0x", "0X"}:
                value = int64(int(sign + text, 16))
            elif text.isdigit():
                value = int64(int(sign + text[:100]))
            else:
                value = decimal_from(sign + text)
        except EvaluationError as error:
            raise ExpressionSyntaxError(error.message_es, error.message_en, column) from None
        return self._grown(Literal(column, 1, value))

    def _name(self) -> Node:
        token = self._token
        if token.text in _RESERVED:
            raise self._unexpected()
        self._take()
        if token.text in _CONSTANTS:
            return self._grown(Literal(token.start + 1, 1, _CONSTANTS[token.text]))
        if self._token.kind != "(":
            return self._grown(Name(token.start + 1, 1, token.text))
        arguments = self._arguments()
        if token.text == "has":
            return self._has(token, arguments)
        return self._call(token, arguments)

    def _bracketed(self) -> Node:
        self._take()
        inner = self._expression()
        self._expect(")")
        return inner

    def _list(self) -> Node:
        column = self._take().start + 1
        items: list[Node] = []
        optional: set[int] = set()
        while self._token.kind != "]":
            if self._question():
                optional.add(len(items))
            items.append(self._expression())
            if self._token.kind != ",":
                break
            self._take()
        self._expect("]")
        return self._grown(ListLiteral(column, _above(*items), tuple(items), frozenset(optional)))

    def _map(self) -> Node:
        column = self._take().start + 1
        entries: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while self._token.kind != "}":
            if self._question():
                optional.add(len(entries))
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))
            if self._token.kind != ",":
                break
            self._take()
        self._expect("}")
        below = [node for entry in entries for node in entry]
        return self._grown(MapLiteral(column, _above(*below), tuple(entries), frozenset(optional)))

    def _arguments(self) -> tuple[Node, ...]:
        self._take()
        arguments: list[Node] = []
        if self._token.kind != ")":
            arguments.append(self._expression())
            while self._token.kind == ",":
                self._take()
                arguments.append(self._expression())
        self._expect(")")
        return tuple(arguments)

    def _has(self, token: Token, arguments: tuple[Node, ...]) -> Node:
        field = arguments[0] if len(arguments) == 1 else None
        if not isinstance(field, Field) or field.optional:
            raise ExpressionSyntaxError(
                "«has» espera un campo, como «has(input.email)».",
                "“has” expects a field, such as “has(input.email)”.",
                token.start + 1,
            )
        return self._grown(Has(field.column, field.depth, field.target, field.name))

    def _macro(self, token: Token, target: Node, arguments: tuple[Node, ...]) -> Node:
        form = MACRO_FORMS[token.text]
        count = form.variables[0] if form.result else len(arguments) - 1
        variables = [argument.name for argument in arguments[:count] if isinstance(argument, Name)]
        rest = list(arguments[count:])
        most = form.result + form.condition
        if count not in form.variables or len(set(variables)) < count or not 1 <= len(rest) <= most:
            raise wrong_macro(token.text, token.start + 1)
        result = rest.pop() if form.result else None
        condition = rest[0] if rest else None
        depth = _above(target, *arguments)
        return self._grown(Macro(token.start + 1, depth, token.text, target, tuple(variables), condition, result))

    def _binding(self, token: Token, arguments: tuple[Node, ...]) -> Node:
        name = arguments[0] if len(arguments) == 3 else None
        if not isinstance(name, Name):
            raise ExpressionSyntaxError(
                "«cel.bind» espera un nombre, su valor y una expresión, como «cel.bind(x, 2, x * x)».",
                "“cel.bind” expects a name, its value and an expression, such as “cel.bind(x, 2, x * x)”.",
                token.start + 1,
            )
        return self._grown(Binding(token.start + 1, _above(*arguments), name.name, arguments[1], arguments[2]))

    def _call(self, token: Token, arguments: tuple[Node, ...], name: str = "", *, method: bool = False) -> Node:
        name = name or token.text
        function = (METHODS if method else FUNCTIONS).get(name)
        given = len(arguments) - method
        if function is None:
            es, en = function_hint(name, FUNCTIONS, METHODS)
            unknown = shown(name)
            raise ExpressionSyntaxError(
                f"No existe la función «{unknown}»{es}.", f"There is no function “{unknown}”{en}.", token.start + 1
            )
        if not function.least <= given <= function.most:
            es, en = function.wanted
            raise ExpressionSyntaxError(
                f"«{name}» espera {es} y recibe {given}.", f"“{name}” expects {en} and gets {given}.", token.start + 1
            )
        return self._grown(Call(token.start + 1, _above(*arguments), name, method, arguments))

    def _grown(self, node: _Tree) -> _Tree:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise LimitError(
                f"La expresión tiene más de {MAX_NODES} elementos.",
                f"The expression has more than {MAX_NODES} elements.",
                node.column,
            )
        if node.depth > MAX_DEPTH:
            raise _too_deep(node.column)
        return node

    def _take(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._token = next(self._tokens)
        return token

    def _expect(self, kind: str) -> None:
        if self._token.kind != kind:
            raise self._unexpected(kind)
        self._take()

    def _unexpected(self, wanted: str = "") -> ExpressionError:
        token = self._token
        column = token.start + 1
        if token.kind == "end" and wanted:
            return ExpressionSyntaxError(f"Falta «{wanted}».", f"“{wanted}” is missing.", column)
        if token.kind == "end":
            return ExpressionSyntaxError("La expresión está incompleta.", "The expression is incomplete.", column)
        es, en = (f"; se esperaba «{wanted}»", f"; expected “{wanted}”") if wanted else hint(token.text)
        return ExpressionSyntaxError(
            f"No se esperaba «{shown(token.text)}»{es}.", f"Unexpected “{shown(token.text)}”{en}.", column
        )


def _above(*below: Node) -> int:
    return 1 + max((node.depth for node in below), default=0)


def _too_deep(column: int) -> LimitError:
    return LimitError(
        f"La expresión se anida más de {MAX_DEPTH} niveles.",
        f"The expression nests more than {MAX_DEPTH} levels.",
        column,
    )
