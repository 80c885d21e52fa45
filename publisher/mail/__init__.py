"""Decisions about mail: what a reply means, when to try again, what may be stored. Floor: above `tokens`; pure."""
