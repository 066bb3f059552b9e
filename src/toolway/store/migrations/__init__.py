"""The schema's versions, forward only, as alembic runs them. A released version is never changed."""
