"""A Postfix of our own: its queue and mailboxes in a folder, on a port of its own, and gone at the end."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

OWNER = "postfix"
MAILBOXES = "nobody"

_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.readers.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
# who is unknown is found out later, as behind most relays: that is where notices come from
smtpd_reject_unlisted_recipient = no
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtp_dns_support_level = disabled
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {root}/mailboxes
virtual_mailbox_maps = texthash:{root}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
recipient_delimiter = +
alias_maps =
alias_database =
local_recipient_maps =
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class NoPostfix(Exception):
    """It cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running one; `mailbox` names the folder of letters that arrived for an address."""

    root: Path
    port: int

    def mailbox(self, address: str) -> Path:
        name, _, domain = address.partition("@")
        return self.root / "mailboxes" / domain / name

    def letters(self, address: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.mailbox(address) / "new").glob("*"))]

    def wait_until_empty(self, seconds: float = 60) -> None:
        """Until its queue has nothing any more, notices included."""
        until = time.monotonic() + seconds
        while True:
            queued = [path for name in ("maildrop", "incoming", "active", "deferred", "hold")
                      for path in (self.root / "queue" / name).rglob("*") if path.is_file()]  # fmt: skip
            if not queued:
                return
            if time.monotonic() > until:
                raise AssertionError(f"{len(queued)} still queued\n{self.log()}")
            time.sleep(0.1)

    def clear(self) -> None:
        """Empty all mailboxes."""
        for letter in (self.root / "mailboxes").glob("*/*/*/*"):
            letter.unlink()

    def set(self, name: str, value: str) -> None:
        """Change a setting of main.cf, for what begins from now on."""
        self._run("postconf", "-e", f"{name} = {value}")
        self._run("postfix", "reload")
        time.sleep(1)  # its daemons end when they have nothing to do, and none tells when

    def flush(self) -> None:
        """Try what waits at once."""
        self._run("postqueue", "-f")

    def _run(self, program: str, *arguments: str) -> None:
        command = [program, "-c", str(self.root / "etc"), *arguments]
        subprocess.run(command, env=_ENVIRONMENT, capture_output=True, check=True)

    def log(self) -> str:
        with suppress(FileNotFoundError):
            return (self.root / "log/mail.log").read_text()
        return ""


@contextmanager
def postfix(addresses: Iterable[str]) -> Iterator[Postfix]:
    """A Postfix with mailboxes for these; it takes letters to others of their domains too, and sends them back."""
    if shutil.which("postfix", path=_PATH) is None:
        raise NoPostfix("postfix is not installed")
    if os.getuid() != 0:
        raise NoPostfix(f"postfix is started by root alone, and this is {getpass.getuser()}")
    # not below pytest's folder: others than root have to get in, and a socket's name must be short
    root = Path(tempfile.mkdtemp(prefix="postfix-"))
    root.chmod(0o755)
    try:
        running = _configured(root, list(addresses))
        process = subprocess.Popen(
            ["postfix", "-c", str(root / "etc"), "start-fg"], env=_ENVIRONMENT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            _wait_for(running, process)
            yield running
        finally:
            stop = ["postfix", "-c", str(root / "etc"), "abort"]
            subprocess.run(stop, env=_ENVIRONMENT, capture_output=True, check=False)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
    finally:
        shutil.rmtree(root, ignore_errors=True)


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_ENVIRONMENT = {**os.environ, "PATH": _PATH}


def _configured(root: Path, addresses: list[str]) -> Postfix:
    owner, keeper = pwd.getpwnam(OWNER), pwd.getpwnam(MAILBOXES)
    for name in ("etc", "queue", "data", "mailboxes", "log"):
        (root / name).mkdir()
    os.chown(root / "data", owner.pw_uid, owner.pw_gid)
    os.chown(root / "mailboxes", keeper.pw_uid, keeper.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    domains = sorted({address.partition("@")[2] for address in addresses})
    values = {"root": root, "domains": " ".join(domains), "uid": keeper.pw_uid, "gid": keeper.pw_gid, "port": port}
    grp.getgrnam("postdrop")
    (root / "etc/main.cf").write_text(_MAIN.format(**values))
    (root / "etc/master.cf").write_text(_MASTER.format(**values))
    places = [f"{address} {address.partition('@')[2]}/{address.partition('@')[0]}/\n" for address in addresses]
    (root / "etc/mailboxes").write_text("".join(places))
    return Postfix(root, port)


def _wait_for(running: Postfix, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            raise NoPostfix(f"postfix does not start here: {process.communicate()[1].strip()} {running.log()[-300:]}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", running.port), 1) as probe:
            if probe.recv(3) == b"220":
                return
        time.sleep(0.05)
    raise NoPostfix(f"postfix does not answer here: {running.log()[-300:]}")
