"""Alembic's entry: runs the migrations on the connection that `store/migrate.py` opened and locked."""

from alembic import context

# Not Alembic's own name for it: an adopted database may hold another program's migrations.
context.configure(connection=context.config.attributes["connection"], version_table="june_tts_schema")
with context.begin_transaction():
    context.run_migrations()
