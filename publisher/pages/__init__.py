"""Article, topic, index and issue pages -> HTML bytes. Floor: pure, above `templating`; knows no disk, no clock.

`documents` has those that are published, `web` and `sign_up` those of the web server.
"""
