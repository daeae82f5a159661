"""Pages of the accounts: prices, fees, who owes what."""
