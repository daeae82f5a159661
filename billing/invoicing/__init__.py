"""Invoices and the credit notes on them: of what there can be one, what it says, as XML by EN 16931 and as PDF/A-3."""
