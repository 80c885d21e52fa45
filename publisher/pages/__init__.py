"""Article, topic, index and issue pages -> HTML bytes. Floor: pure, above `templating`; knows no disk, no clock."""

from publisher.pages.documents import NOT_FOUND, Pages
from publisher.pages.frame import PageSite
from publisher.pages.sign_up import SignUpPages
from publisher.pages.web import ReaderSettings, WebPages

__all__ = ["NOT_FOUND", "PageSite", "Pages", "ReaderSettings", "SignUpPages", "WebPages"]
