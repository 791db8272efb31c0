"""Users' streams in a DynamoDB table: one item per user, one conditional `UpdateItem` per write."""
