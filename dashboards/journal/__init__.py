"""The journal for people: sentences for its verbs, names where the reader may know them, filters, and a file."""
