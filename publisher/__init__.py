"""publisher: topic feeds and mail digests from a store of articles."""

__version__ = "0.1.0"
