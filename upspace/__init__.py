"""upspace: a self-hosted user, relation and statistics service that speaks the Bilibili user API."""

__all__ = ["__version__"]

__version__ = "0.1.0"
