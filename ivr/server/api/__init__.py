"""The REST API: a file a resource."""
