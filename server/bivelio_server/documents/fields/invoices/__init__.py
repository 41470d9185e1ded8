"""Invoices and receipts: who billed whom for what, when, and how much."""
