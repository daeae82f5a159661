"""The door to the decisions: the `Dispatcher` interface, its messages, and the mailbox in this process."""
