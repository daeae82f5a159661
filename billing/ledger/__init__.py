"""Who owes whom: what records cost, and what is read of prices, charges and transfers."""
