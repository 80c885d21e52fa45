"""Flows: where decisions meet doors. Floor: above the doors, below `app`."""
