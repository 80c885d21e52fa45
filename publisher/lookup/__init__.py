"""The door to the DNS. Floor: door."""

from publisher.lookup.texts import Resolve, system_texts

__all__ = ["Resolve", "system_texts"]
