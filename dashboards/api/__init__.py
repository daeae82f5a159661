"""What scripts read and do over `/manage/api`: each part asks the operations and queries that pages ask, too."""
