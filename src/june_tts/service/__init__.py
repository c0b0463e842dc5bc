"""The use cases; they know only ports."""
