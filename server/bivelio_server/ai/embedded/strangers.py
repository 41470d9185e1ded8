"""Texts that are nobody's business: what fits no label is more like these than like any label.

They are those of the tuning half in `benchmarks/texts` that have no label.
"""

from typing import Final

STRANGERS: Final = (
    "¿Quién ganó el Tour de Francia en 1991?",
    "Se me ha escapado el gato por la ventana del patio.",
    "Los delfines duermen con medio cerebro despierto.",
    "El partido se aplazó por la niebla y se jugará a puerta cerrada.",
    "Felices fiestas y próspero año nuevo a todos",
    "The mitochondrion is the powerhouse of the cell.",
    "What is the best way to learn the violin as an adult?",
    "El castell de nou amb folre es va carregar a la segona ronda.",
    "Demà farem una excursió al Montseny si no plou.",
    "Ontem vi um filme sobre a revolução dos cravos.",
    "Se busca perra mestiza de color canela, perdida en el parque del Retiro. Responde al nombre de Luna.",
    "Querida Elena: por aquí todo sigue igual, los almendros ya están en flor y los niños no paran.",
    "Instrucciones de montaje: introduzca los tacos A en los orificios B y apriete con la llave Allen.",
    "¡Gran concierto benéfico! Sábado a las 21 h en la plaza de toros. Entradas en taquilla.",
    "Knit two, purl two to the end of the row, then cast off loosely.",
)
