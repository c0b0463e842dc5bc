"""The voice library in SQLite and PostgreSQL."""
