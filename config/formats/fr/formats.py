"""French: thousands are set apart by a narrow space that breaks no line."""

THOUSAND_SEPARATOR = "\u202f"
