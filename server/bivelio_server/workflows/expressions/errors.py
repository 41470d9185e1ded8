"""What an expression may answer instead of a value.

ExpressionError
  x ExpressionSyntaxError  the text is not an expression; found when it is saved
  x EvaluationError        these data do not fit the expression; `||`, `&&`, `all` and `exists` may absorb it
  x LimitError             the expression is or asks for more than `limits` grants; nothing absorbs it
"""


class ExpressionError(Exception):
    """Message in both languages and the column, counted from 1, in the text the user wrote.

    `path` locates the text inside a larger value (`with.email`) and is empty for a lone expression.
    """

    def __init__(self, message_es: str, message_en: str, column: int = 0) -> None:
        super().__init__(message_es, message_en, column)
        self.message_es = message_es
        self.message_en = message_en
        self.column = column
        self.path = ""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message_en} (column {self.column})"


class ExpressionSyntaxError(ExpressionError):
    pass


class EvaluationError(ExpressionError):
    pass


class LimitError(ExpressionError):
    pass


class NoOverloadError(Exception):
    """An operator or function does not accept these types; the evaluator says which and where.

    Its arguments, if it has any, are the values to name instead of those that were given.
    """


def shown(name: object) -> str:
    """A name taken from data or source, short enough for a message."""
    text = str(name)
    return text if len(text) <= 60 else f"{text[:60]}…"
