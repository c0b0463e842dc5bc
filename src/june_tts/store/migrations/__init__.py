"""Alembic scripts, packaged so that an installed june-tts can run them."""
