"""What people mean by what is no expression: the habits of other languages, and of writing prose."""

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


def hint(text: str) -> tuple[str, str]:
    """What to add, in Spanish and English, to the news that this was not expected; nothing if nothing is known."""
    found = _HINTS.get(text, _LETTER if text.isalpha() and not text.isascii() else None)
    return ("", "") if found is None else (f": {found[0]}", f": {found[1]}")
