"""How requests come into the accounts: stored once, summed, kept by the month, forgotten, checked."""
