"""The folder of published documents: atomic, durable, and untouched where nothing changed. Floor: door to the disk."""

from publisher.site.folder import SiteFolder, WriteReport

__all__ = ["SiteFolder", "WriteReport"]
