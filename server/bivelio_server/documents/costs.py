"""What reading documents costs, in credits; the table of the API says so."""

from typing import Final

EXTRACT_CREDITS: Final = 3
CLASSIFY_CREDITS: Final = 2
