"""What is asked of the accounts. Forms parse; the operations decide and write."""
