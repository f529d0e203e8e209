"""A finished layer examined: rebuilt and compared, and looked up among known vulnerabilities."""
