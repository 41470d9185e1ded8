"""How much an organisation keeps in boxes."""

from typing import Final

from bivelio_server.kit.text import Text

MAX_BOXES: Final = 1000
MAX_FILES: Final = 10_000
MAX_MEMBERS: Final = 1000

TOO_MANY_BOXES: Final = Text(
    f"La organización tiene ya {MAX_BOXES} cajas, que es el máximo.",
    f"The organisation has {MAX_BOXES} boxes already, which is the most.",
)
TOO_MANY_FILES: Final = Text(
    f"La caja tiene ya {MAX_FILES} ficheros, que es el máximo: borra alguno o usa otra caja.",
    f"The box has {MAX_FILES} files already, which is the most: delete some or use another box.",
)
TOO_MANY_MEMBERS: Final = Text(
    f"La caja tiene ya {MAX_MEMBERS} miembros, que es el máximo.",
    f"The box has {MAX_MEMBERS} members already, which is the most.",
)
