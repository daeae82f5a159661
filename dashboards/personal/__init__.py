"""What the product knows of one person, as a file of theirs; and what it does with people's data, as a page."""
