"""Writes of the accounts that people cause. What requests cost is written with them (`billing.ledger.posting`)."""
