"""What pages, exports and programs read of what was used. The same rows for all of them."""
