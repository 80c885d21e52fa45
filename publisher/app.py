"""The composition root: settings -> `App`. Floor: above `flows`; the only place that makes doors."""

# ruff: noqa: PLC0415 - a part is loaded when it is made: a run that writes to nobody loads nothing of mail
from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.clock import Clock, system_clock
from publisher.config import Settings
from publisher.errors import ConfigError, UsageError
from publisher.feeds.value import FeedSite, everything
from publisher.flows.ingest import MintKey
from publisher.flows.pictures import paths_of, site_pictures
from publisher.flows.press import Press, press_fingerprint
from publisher.links import Links
from publisher.model import ALL, Frequency, Topic
from publisher.pages.languages import named
from publisher.site import SiteFolder
from publisher.store import Step, Store
from publisher.tokens import KEY_LOST, Signer, load_or_make_keys
from publisher.topics import Classifier

_KEY_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that reads like another
_KEY_LENGTH = 16  # 80 bits: never met twice

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from publisher.flows.compose import Terms
    from publisher.flows.deliver import Post
    from publisher.flows.hub_topics import HubTopics
    from publisher.flows.letters import Letters
    from publisher.flows.mail_room import MailRoom
    from publisher.flows.push import Hub
    from publisher.flows.run import Parts
    from publisher.flows.sign_up import SignUpParts
    from publisher.hubs import HubClient
    from publisher.mail.verp import ReturnPath
    from publisher.pages.documents import Pages
    from publisher.pages.frame import PageSite
    from publisher.pages.sign_up import SignUpPages
    from publisher.pages.web import WebPages


def mint_key() -> str:
    """A fresh article key."""
    return "".join(_KEY_ALPHABET[byte % 32] for byte in secrets.token_bytes(_KEY_LENGTH))


def mint_challenge() -> str:
    """What a subscriber has to say back: nobody can guess it."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class App:
    """The house: each part is made when it is first asked for, so that a small command starts fast."""

    settings: Settings
    store: Store
    clock: Clock
    mint_key: MintKey
    upgraded: Sequence[Step] = ()
    """What was done to the database when the house was built."""

    @cached_property
    def links(self) -> Links:
        return Links(self.settings.site.base_url)

    @cached_property
    def topic_order(self) -> tuple[str, ...]:
        return tuple(self.settings.topics)

    @cached_property
    def everything(self) -> Topic:
        return everything(self.feed_site)

    @cached_property
    def feed_site(self) -> FeedSite:
        websub = self.settings.websub
        own_hub = self.links.hub() if websub.builtin else None
        names = self.settings.first_names
        return FeedSite.of(
            self.settings.site,
            hubs=websub.hubs,
            own_hub=own_hub,
            first_names=names,
            pictures=paths_of(self.settings),
        )

    @cached_property
    def classifier(self) -> Classifier:
        return Classifier(self.settings.topics)

    @cached_property
    def signer(self) -> Signer:
        """Raises ConfigError where its key is gone: another one would make all links dead, and nobody would notice."""
        path = self.settings.path(self.settings.store.secret_file)
        if not path.exists():
            with self.store.read() as tx:
                letters_are_out = tx.issues.last_id() > 0
            if letters_are_out:
                raise ConfigError("store.secret_file", f"{path} is missing; {KEY_LOST}", place=self.settings.place)
        return Signer(load_or_make_keys(path))

    @cached_property
    def templates(self) -> ImmutableSandboxedEnvironment:
        from publisher import templating

        return templating.environment(self.settings.path(self.settings.site.templates), self.settings.zone)

    @cached_property
    def folder(self) -> SiteFolder:
        return SiteFolder(self.settings.path(self.settings.site.output))

    @cached_property
    def page_site(self) -> PageSite:
        from publisher.pages.frame import PageSite

        site, pictures = self.settings.site, paths_of(self.settings)
        return PageSite(
            title=site.title,
            description=site.description,
            language=site.language,
            accent=site.accent,
            links=self.links,
            topics=self.settings.topic_list,
            every_minutes=self.settings.feeds.every_minutes,
            frequencies=self.frequencies if self.settings.signup.enabled else (),
            languages=named(self.languages),
            consent=self.settings.signup.consent,
            offline_links=site.offline_links,
            author=site.author,
            rights=site.rights,
            license=site.license,
            icon=pictures.icon if site.icon else "",
            logo=pictures.logo if site.logo else "",
        )

    @cached_property
    def frequencies(self) -> tuple[Frequency, ...]:
        """Those that letters go out at."""
        return tuple(frequency for frequency in Frequency if self.settings.timetable(frequency).enabled)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """What readers choose among; the first one is theirs if they do not."""
        return self.settings.signup.languages or (self.settings.site.language,)

    @cached_property
    def web_pages(self) -> WebPages:
        from publisher.pages.web import WebPages

        return WebPages(self.templates, self.page_site)

    @cached_property
    def sign_up_pages(self) -> SignUpPages:
        from publisher.pages.sign_up import SignUpPages

        return SignUpPages(self.templates, self.page_site)

    @cached_property
    def letters(self) -> Letters:
        from publisher.digest.render import DigestSite
        from publisher.flows.dkim import letter_signer
        from publisher.flows.letters import Letters

        return Letters(
            self.templates,
            DigestSite.of(self.settings),
            self.signer,
            dkim=letter_signer(self.settings),
            return_path=self.return_path,
        )

    @cached_property
    def return_path(self) -> ReturnPath | None:
        """None while `bounces.address` is empty: letters then come back to their sender."""
        from publisher.mail.verp import ReturnPath

        address = self.settings.bounces.address
        return ReturnPath(address, self.signer) if address else None

    @cached_property
    def post(self) -> Post:
        from publisher.flows.deliver import Post

        settings = self.settings
        outbox = settings.path(settings.outbox.path)
        return Post(lambda: self.letters, settings.smtp, outbox, settings.relays, settings.domain)

    @cached_property
    def sign_up(self) -> SignUpParts:
        from publisher.flows.sign_up import SignUpParts, SignUpTerms
        from publisher.readers.policy import AddressPolicy

        signup = self.settings.signup
        own = (self.settings.digest.sender, signup.sender or "", self.settings.bounces.address)
        terms = SignUpTerms(
            consent=signup.consent,
            confirm_within=timedelta(hours=signup.confirm_hours),
            keep=timedelta(days=signup.keep_days),
            overall=signup.overall,
            domain=signup.per_domain,
            network=signup.per_network,
            policy=AddressPolicy.of(
                _refused_domains(self.settings),
                roles=signup.refuse_roles,
                own=[address for mailbox in own if (address := parseaddr(mailbox)[1])],
            ),
            topic_order=self.topic_order,
            frequencies=self.frequencies,
            languages=self.languages,
        )
        return SignUpParts(self.store, self.signer, terms, self.clock)

    @cached_property
    def mail_room(self) -> MailRoom:
        from publisher.digest.render import DigestSite
        from publisher.flows.dkim import letter_signer
        from publisher.flows.mail_room import MailRoom
        from publisher.flows.service_press import ServicePress

        press = ServicePress(
            self.templates,
            DigestSite.of(self.settings),
            self.signer,
            sender=self.settings.signup.sender or self.settings.digest.sender,
            bounces_to=self.settings.bounces.address,
            dkim=letter_signer(self.settings),
        )
        return MailRoom(self.sign_up, self.post, press)

    @cached_property
    def pages(self) -> Pages:
        from publisher.pages.documents import Pages

        return Pages(self.templates, self.page_site)

    @cached_property
    def press(self) -> Press:
        return Press(
            site=self.feed_site,
            pages_of=lambda: self.pages,
            topics=self.settings.topic_list,
            everything=self.everything,
            entries=self.settings.feeds.entries,
            fingerprint=press_fingerprint(self.settings),
            notice=timedelta(days=self.settings.feeds.withdrawn_notice_days),
            tombstone=timedelta(days=self.settings.feeds.tombstone_days),
            pictures=lambda: site_pictures(self.settings),
        )

    @cached_property
    def hubs(self) -> HubClient:
        from publisher.hubs import HubClient

        allow_private = self.settings.websub.allow_private
        return HubClient(agent=f"publisher ({self.links.home()})", allow_private=allow_private)

    @cached_property
    def alarm_client(self) -> HubClient:
        from publisher.hubs import HubClient

        allow_private = self.settings.alarm.allow_private
        return HubClient(agent=f"publisher ({self.links.home()})", allow_private=allow_private)

    @cached_property
    def hub_topics(self) -> HubTopics:
        from publisher.flows.hub_topics import HubTopics

        return HubTopics(self.store, self.folder, self.press)

    @cached_property
    def hub(self) -> Hub:
        from publisher.flows.push import Hub

        return Hub(
            store=self.store,
            topics=self.hub_topics,
            client=self.hubs,
            settings=self.settings.websub,
            clock=self.clock,
            mint_challenge=mint_challenge,
        )

    @cached_property
    def terms(self) -> Terms:
        from publisher.flows.compose import Terms

        days = self.settings.digest.hold_back_days
        hold_back = timedelta(days=days) if days else None
        return Terms(topic_order=self.topic_order, hold_back=hold_back, approval=self.settings.digest.approval)

    @property
    def parts(self) -> Parts:
        """The house as a run sees it."""
        return self

    def furnish(self) -> None:
        """Make at once what runs would ask for later. Raises ConfigError or TemplateError for what is wrong with it."""
        self.classifier.compile()
        _ = self.press, self.pages, self.letters, self.mail_room  # asked for, so made

    def present_topic(self, name: str) -> str:
        """The slug of the topic of that name, which may be a former one. Raises UsageError for what is neither a topic
        of the config nor `all`."""
        slug = self.settings.renamed_topics.get(name, name)
        if slug != ALL and slug not in self.settings.topics:
            known = ", ".join((*self.settings.topics, ALL))
            raise UsageError(f"no topic {name!r}; topics are {known}")
        return slug

    def close(self) -> None:
        self.store.close()


def build(
    settings: Settings, *, clock: Clock = system_clock, mint_key: MintKey = mint_key, upgrade: bool = False
) -> App:
    """The house of `settings`. A database that does not exist yet is made; one of another version is refused with
    StoreOutdated, unless `upgrade` is asked for."""
    store = open_store(settings)
    if upgrade or store.is_new():
        return App(settings, store, clock, mint_key, upgraded=store.upgrade(clock()))
    store.check()
    return App(settings, store, clock, mint_key)


def open_store(settings: Settings) -> Store:
    """The database of `settings`, as it is: nobody has looked yet whether it is there, or of our version."""
    return Store(_store_url(settings), topic_order=tuple(settings.topics))


def _store_url(settings: Settings) -> str:
    """The URL of the database, with the path of an SQLite file made absolute from the folder of config.toml."""
    prefix = "sqlite:///"
    url = settings.store.url
    return prefix + str(settings.path(Path(url.removeprefix(prefix)))) if url.startswith(prefix) else url


def _refused_domains(settings: Settings) -> Sequence[str]:
    """The domains that may not sign up. Raises ConfigError for a file of them that cannot be read."""
    from publisher.readers.policy import read_domains

    file = settings.signup.refused_domains_file
    if file is None:
        return settings.signup.refused_domains
    path = settings.path(file)
    try:
        return [*settings.signup.refused_domains, *read_domains(path.read_text(encoding="utf-8"))]
    except OSError as error:
        problem = str(error.strerror)
    except UnicodeDecodeError:
        problem = "is no text in UTF-8"
    except UsageError as error:
        problem = str(error)
    raise ConfigError("signup.refused_domains_file", f"{path}: {problem}", place=settings.place)
