"""Readers: which addresses are accepted, consent, preferences, limits of signing up. Floor: readers, pure."""
