"""The web: the published site, leaving by link, health. Floor: above `app`; parses, calls a flow, shows."""
