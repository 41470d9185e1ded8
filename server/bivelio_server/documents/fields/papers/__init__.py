"""Papers that are no invoices: contracts, deeds, identity documents, payslips, bank statements."""
