"""All layouts by type of document: those that rules may be tuned on, and those nobody looks at meanwhile."""

from corpus import deeds, identities, invoice_layouts, invoice_layouts_held_out, papers, receipts

TUNED = {
    "invoice": invoice_layouts.TUNED,
    "receipt": receipts.TUNED,
    "payslip": papers.PAYSLIPS,
    "bank_statement": papers.STATEMENTS,
    "contract": papers.CONTRACTS,
    "deed": deeds.TUNED,
    "id_document": identities.TUNED,
}
HELD_OUT = {
    "invoice": invoice_layouts_held_out.HELD_OUT,
    "receipt": receipts.HELD_OUT,
    "payslip": papers.PAYSLIPS_HELD_OUT,
    "bank_statement": papers.STATEMENTS_HELD_OUT,
    "contract": papers.CONTRACTS_HELD_OUT,
    "deed": deeds.HELD_OUT,
    "id_document": identities.HELD_OUT,
}
