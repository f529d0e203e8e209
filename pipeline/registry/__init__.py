"""The registry: the table in DynamoDB with a row for each published layer version."""
