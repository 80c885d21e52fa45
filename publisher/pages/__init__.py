"""Article, topic, index and issue pages -> HTML bytes. Floor: pure, above `templating`; knows no disk, no clock.

Those of the web server are in `pages.web` and `pages.sign_up`, which nobody else loads.
"""

from publisher.pages.documents import NOT_FOUND, Pages
from publisher.pages.frame import PageSite

__all__ = ["NOT_FOUND", "PageSite", "Pages"]
