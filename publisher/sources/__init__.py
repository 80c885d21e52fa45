"""Sources: files, folders and streams of articles -> `RawArticle` and `Refusal` values. Floor: above `htmltext`.

read -> places (which files) -> plain | markdown | jsonlines (which items) -> admission (which are good)
"""

from publisher.sources.admission import Admission
from publisher.sources.places import Format, read

__all__ = ["Admission", "Format", "read"]
