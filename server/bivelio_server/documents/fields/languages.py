"""Which language a document is in, by its commonest words: one of our four, or of those that are taken for them.

Documents have few sentences and many names, which mislead what looks at letters (`ai/languages.py`, which knows four
languages and loads 70 MB for them). Words such as `de`, which several of them share, say nothing.
"""

import re
from typing import Final

#: Without accents, as `layout.fold` leaves them.
_WORDS: Final = {
    "es": "el los las del y con para por una este esta fecha factura importe cantidad precio cliente pago vencimiento"
    " numero nombre descripcion forma calle direccion en al sus segun trabajador empresa contrato saldo cuenta",
    "ca": "els les amb per una aquest aquesta data preu quantitat client pagament venciment nom descripcio i al carrer"
    " adreca segons treballador contracte saldo compte import",
    "pt": "os as da do das dos com para por uma fatura valor quantidade preco cliente pagamento vencimento nome numero"
    " descricao rua morada e ao em segundo trabalhador contrato saldo conta no na",
    "en": "the and of with for this that date invoice amount quantity price customer payment due number name"
    " description street address to from by is on employee contract balance account total bill",
}
_OTHERS: Final = {
    "fr": "le la les des du et pour par une cette date facture montant quantite prix client paiement"
    " votre vous total nom au",
    "it": "il lo gli della delle con per una questa data fattura importo quantita prezzo cliente pagamento"
    " totale nome al",
    "de": "der die das und mit fur ein eine datum rechnung betrag menge preis kunde zahlung ihre sie im von zu",
    "nl": "het een en met voor van op datum factuur bedrag aantal prijs klant betaling uw bij totaal",
}
_SETS: Final = {language: frozenset(words.split()) for language, words in {**_WORDS, **_OTHERS}.items()}
_ENOUGH: Final = 3


def detect(plain: str) -> str | None:
    """ISO 639-1; None where there is too little to tell."""
    words = re.findall(r"[a-z]+", plain[:20_000])
    counts = {language: sum(word in known for word in words) for language, known in _SETS.items()}
    ranked = sorted(counts, key=lambda language: -counts[language])
    first, second = ranked[0], ranked[1]
    return first if counts[first] >= _ENOUGH and counts[first] > counts[second] else None
