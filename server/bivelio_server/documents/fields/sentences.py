"""The words of a summary, in the four languages of the documents."""

from collections.abc import Mapping
from typing import Final

#: Document types, and the words between what is known of them.
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "es": {"invoice": "Factura", "receipt": "Tique", "contract": "Contrato", "deed": "Escritura", "payslip": "Nómina",
           "bank_statement": "Extracto de la cuenta", "id_document": "Documento de identidad", "of": "de", "to": "a", "for": "por",
           "between": "entre", "and": "y", "date": "con fecha", "during": "con duración", "net": "líquido", "until": "hasta",
           "before": "ante", "number": "número", "movements": "movimientos", "mark": ","},
    "ca": {"invoice": "Factura", "receipt": "Tiquet", "contract": "Contracte", "deed": "Escriptura", "payslip": "Nòmina",
           "bank_statement": "Extracte del compte", "id_document": "Document d'identitat", "of": "de", "to": "a", "for": "per",
           "between": "entre", "and": "i", "date": "amb data", "during": "amb durada", "net": "líquid", "until": "fins al",
           "before": "davant", "number": "número", "movements": "moviments", "mark": ","},
    "pt": {"invoice": "Fatura", "receipt": "Recibo", "contract": "Contrato", "deed": "Escritura", "payslip": "Recibo de vencimento",
           "bank_statement": "Extrato da conta", "id_document": "Documento de identidade", "of": "de", "to": "a", "for": "por",
           "between": "entre", "and": "e", "date": "com data", "during": "com duração", "net": "líquido", "until": "até",
           "before": "perante", "number": "número", "movements": "movimentos", "mark": ","},
    "en": {"invoice": "Invoice", "receipt": "Receipt", "contract": "Contract", "deed": "Deed", "payslip": "Payslip",
           "bank_statement": "Statement of account", "id_document": "Identity document", "of": "from", "to": "to", "for": "for",
           "between": "between", "and": "and", "date": "dated", "during": "lasting", "net": "net", "until": "until",
           "before": "before", "number": "number", "movements": "movements", "mark": "."},
}  # fmt: skip
