"""A Mirakl marketplace as one shop sees it."""

from app.sandbox.mirakl.routes import create_app

__all__ = ["create_app"]
