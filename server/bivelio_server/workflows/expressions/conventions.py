"""What an organisation has settled once, so that no expression has to say it: its zone, language and currency."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Conventions:
    timezone: str = "UTC"
    locale: str = "es"
    currency: str = "EUR"


USUAL: Final = Conventions()
