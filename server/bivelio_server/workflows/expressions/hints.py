"""What people mean by what is no expression: the habits of other languages, and of writing prose."""

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Final

_QUOTES: Final = ("los textos van entre comillas rectas, como 'a'", "strings take straight quotes, such as 'a'")
_BAR: Final = (
    "«o» se escribe «||»; las funciones van tras un punto, como input.name.upper()",
    "“or” is written “||”; functions follow a dot, such as input.name.upper()",
)
_LETTER: Final = (
    "los nombres con acentos, ñ o espacios se escriben así: input['año']",
    "names with accents or spaces are written like this: input['año']",
)
_HINTS: Final = {
    "=": ("para comparar se escribe «==»", "to compare write “==”"),
    "&": ("«y» se escribe «&&»", "“and” is written “&&”"),
    "and": ("«y» se escribe «&&»", "“and” is written “&&”"),
    "|": _BAR,
    "or": ("«o» se escribe «||»", "“or” is written “||”"),
    "if": ("se escribe condición ? valor : otro", "write condition ? value : other"),
    **dict.fromkeys("“”«»‘’„´`", _QUOTES),
}
#: What functions are called elsewhere, in small letters.
_ALIASES: Final = {
    **dict.fromkeys(("len", "length", "count"), "size"),
    **dict.fromkeys(("touppercase", "uppercase", "ucase"), "upper"),
    **dict.fromkeys(("tolowercase", "lowercase", "lcase"), "lower"),
    **dict.fromkeys(("includes", "has_text"), "contains"),
    **dict.fromkeys(("ifnull", "isnull", "nvl", "default"), "coalesce"),
    **dict.fromkeys(("str", "tostring", "text"), "string"),
    **dict.fromkeys(("number", "float", "tonumber", "decimal"), "double"),
    **dict.fromkeys(("average", "mean"), "avg"),
    **dict.fromkeys(("dateformat", "strftime", "format_date"), "formatDate"),
    **dict.fromkeys(("datediff", "days_between"), "daysBetween"),
    "today": "date",
    "tojson": "json.encode",
    "parsejson": "json.decode",
}


def hint(text: str) -> tuple[str, str]:
    """What to add, in Spanish and English, to the news that this was not expected; nothing if nothing is known."""
    found = _HINTS.get(text, _LETTER if text.isalpha() and not text.isascii() else None)
    return ("", "") if found is None else (f": {found[0]}", f": {found[1]}")


def function_hint(name: str, functions: Collection[str], methods: Iterable[str]) -> tuple[str, str]:
    """Likewise, to the news that there is no function of that name."""
    lowered = name.lower()
    meant = _ALIASES.get(lowered) or next((each for each in chain(functions, methods) if each.lower() == lowered), None)
    if meant is None:
        return "", ""
    written = f"{meant}(…)" if meant in functions else f"x.{meant}(…)"
    return f"; se escribe {written}", f"; write {written}"
