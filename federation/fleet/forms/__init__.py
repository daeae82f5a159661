"""What people type about servers. The forms parse; the operations decide and write."""
