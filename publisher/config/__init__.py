"""config.toml and PUBLISHER_ variables -> frozen `Settings`. Floor: above `model`.

One table: each setting has a type with its unit, a default and a help text; config.toml shows them all with a comment.
Unknown keys are refused by their dotted path, impossible values with what is allowed. A variable
``PUBLISHER_<SECTION>_<KEY>`` overrides a key of the file; ``..._FILE`` names a file that holds a secret's value.
Relative paths are meant from the folder of config.toml.
"""

from publisher.config.kinds import HOSTNAME, Language, check_language
from publisher.config.loading import BLOCKS, from_values, holds_secrets, load, variables
from publisher.config.relays import ANY_DOMAIN, DomainSettings, RelaySettings, SmtpSettings
from publisher.config.settings import (
    BounceSettings,
    DigestSettings,
    DkimSettings,
    FeedSettings,
    Settings,
    SiteSettings,
    SourceSettings,
    WebSubSettings,
)
from publisher.config.topics import TopicSettings

__all__ = [
    "ANY_DOMAIN",
    "BLOCKS",
    "HOSTNAME",
    "BounceSettings",
    "DigestSettings",
    "DkimSettings",
    "DomainSettings",
    "FeedSettings",
    "Language",
    "RelaySettings",
    "Settings",
    "SiteSettings",
    "SmtpSettings",
    "SourceSettings",
    "TopicSettings",
    "WebSubSettings",
    "check_language",
    "from_values",
    "holds_secrets",
    "load",
    "variables",
]
