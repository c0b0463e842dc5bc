"""Drives a server with load and measures what its listeners would hear."""
