"""Pages about servers. The operations decide; views fetch, call and render."""
