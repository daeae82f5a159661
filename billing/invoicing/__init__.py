"""Invoices: what one says, as XML by EN 16931 and as PDF/A-3. `billing.operations` decides which statement has one."""
