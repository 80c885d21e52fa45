"""Maildir, mbox, message, pipe and IMAP: everything is read, nothing is lost, nothing is deleted."""

from __future__ import annotations

import base64
import mailbox
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trustme

from publisher.errors import SourceError
from publisher.sources.mailboxes import ImapAccount, Incoming, mail_in, mail_on_server, piped_mail


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def settle(mails: Iterator[Incoming], *, for_people: bytes = b"odd") -> list[bytes]:
    read = []
    for mail in mails:
        read.append(mail.content)
        mail.settle(for_people in mail.content)
    return read


def maildir(path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def test_messages_of_a_maildir_move_to_where_they_belong(tmp_path: Path) -> None:
    box, folder = maildir(tmp_path / "box"), tmp_path / "bounces"
    (box / "new" / "2.host").write_bytes(b"two, odd")
    (box / "new" / "1.host").write_bytes(b"one")
    (box / "cur" / "0.host:2,S").write_bytes(b"zero")
    (box / "tmp" / "3.host").write_bytes(b"not whole yet")
    assert settle(mail_in(box, folder)) == [b"one", b"two, odd", b"zero"]
    assert files(box) == {"tmp/3.host"}
    assert files(folder) == {"processed/1.host", "unparsed/2.host", "processed/0.host:2,S"}
    assert settle(mail_in(box, folder)) == []


def test_a_message_that_nobody_settled_stays_in_its_maildir(tmp_path: Path) -> None:
    box = maildir(tmp_path / "box")
    (box / "new" / "1.host").write_bytes(b"one")
    assert [mail.content for mail in mail_in(box, tmp_path / "bounces")] == [b"one"]
    assert files(box) == {"new/1.host"}


def test_two_messages_of_one_name_are_both_kept(tmp_path: Path) -> None:
    box, folder = maildir(tmp_path / "box"), tmp_path / "bounces"
    for content in (b"first", b"second"):
        (box / "new" / "1.host").write_bytes(content)
        settle(mail_in(box, folder))
    assert {path.read_bytes() for path in (folder / "processed").iterdir()} == {b"first", b"second"}


def test_an_mbox_is_read_message_by_message_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mbox"
    box = mailbox.mbox(path)
    for number in (1, 2):
        box.add(f"Subject: {number}\n\nText.\n".encode())
    box.close()
    before = path.read_bytes()
    read = settle(mail_in(path, tmp_path / "bounces"))
    assert [re.findall(rb"Subject: (\d)", content) for content in read] == [[b"1"], [b"2"]]
    assert path.read_bytes() == before


def test_a_file_with_one_message_is_read_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bounce.eml"
    path.write_bytes(b"Subject: odd\n\nText.\n")
    assert settle(mail_in(path, tmp_path / "bounces")) == [path.read_bytes()]
    assert files(tmp_path) == {"bounce.eml"}


def test_a_folder_of_messages_is_read_and_left_alone(tmp_path: Path) -> None:
    for name in ("2.eml", "1.eml", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert settle(mail_in(tmp_path, tmp_path / "bounces")) == [b"1.eml", b"2.eml"]
    assert files(tmp_path) == {"1.eml", "2.eml", "notes.txt"}


def test_where_nothing_stands_there_is_no_message(tmp_path: Path) -> None:
    box = maildir(tmp_path / "box")
    for path in (box / "new" / "1.host", tmp_path / "mbox"):
        path.write_bytes(b"")
        assert settle(mail_in(tmp_path / "mbox" if path.name == "mbox" else box, tmp_path / "bounces")) == []


def test_a_message_that_cannot_be_read_is_told_of_when_all_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, read = maildir(tmp_path / "box"), []
    for name in ("1.host", "2.host", "3.host"):
        (box / "new" / name).write_bytes(name.encode())
    whole = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "2.host":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(SourceError, match=r"2\.host: Permission denied"):
        for mail in mail_in(box, tmp_path / "bounces"):
            read.append(mail.content)
            mail.settle(False)
    assert read == [b"1.host", b"3.host"]
    assert files(box) == {"new/2.host"}


def test_a_piped_message_is_kept_only_for_people(tmp_path: Path) -> None:
    assert settle(piped_mail(b"Subject: fine\n\n", tmp_path)) == [b"Subject: fine\n\n"]
    assert files(tmp_path) == set()
    for _ in range(2):
        settle(piped_mail(b"Subject: odd\n\n", tmp_path))
    (kept,) = (tmp_path / "unparsed").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600  # it may hold a letter, with the links of its reader
    assert kept.read_bytes() == b"Subject: odd\n\n"
    assert settle(piped_mail(b"\n", tmp_path)) == []


def test_what_is_no_mailbox_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a Maildir"):
        mail_in(tmp_path, tmp_path)
    with pytest.raises(SourceError, match="No such file"):
        mail_in(tmp_path / "nope", tmp_path)


# --- IMAP -----------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """So much of an IMAP server as reading a folder takes: messages by number, and their flags."""

    messages: dict[int, bytes]
    password: str = "secret"
    flags: dict[int, set[str]] = field(default_factory=dict)
    port: int = 0
    drops_at: str = ""
    user: str = "bounces"
    folder: str = "INBOX"
    offers: str = ""

    def answer(self, connection: ssl.SSLSocket) -> None:
        lines = connection.makefile("rb")
        connection.sendall(b"* OK ready\r\n")
        for line in lines:
            tag, _, command = line.decode().strip().partition(" ")
            if self.drops_at and self.drops_at in command:
                return
            if command == "AUTHENTICATE PLAIN":
                connection.sendall(b"+ \r\n")
                login = base64.b64decode(next(lines)).decode()
                command = f'LOGIN "{self.user}" "{login.rpartition(chr(0))[2]}"' if self.user in login else "LOGIN"
            connection.sendall(self._reply(tag, command))
            if command == "LOGOUT":
                return

    def _reply(self, tag: str, command: str) -> bytes:
        done = f"{tag} OK done\r\n".encode()
        if command == "CAPABILITY":
            return f"* CAPABILITY IMAP4rev1 {self.offers}\r\n".encode() + done
        if command.startswith("LOGIN"):
            return done if command == f'LOGIN "{self.user}" "{self.password}"' else f"{tag} NO wrong\r\n".encode()
        if command.startswith("SELECT"):
            return (
                b"* 1 EXISTS\r\n" + done if f'"{self.folder}"' in command else f"{tag} NO no such folder\r\n".encode()
            )
        if command.startswith("UID SEARCH"):
            unseen = [str(n) for n in self.messages if r"\Seen" not in self.flags.get(n, set())]
            return f"* SEARCH {' '.join(unseen)}\r\n".encode() + done
        number = int(command.split()[2]) if command.startswith("UID") else 0
        if command.startswith("UID FETCH"):
            content = self.messages[number]
            head = f"* 1 FETCH (UID {number} BODY[] {{{len(content)}}}\r\n".encode()
            return head + content + b")\r\n" + done
        if command.startswith("UID STORE"):
            self.flags.setdefault(number, set()).update(re.findall(r"\\\w+", command))
        return done


@contextmanager
def serving(server: Server) -> Iterator[ImapAccount]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    server.answer(connection)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield ImapAccount(
            host="localhost", port=listening.getsockname()[1], user="bounces", password="secret", context=trusting
        )
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def test_messages_on_a_server_are_marked_and_stay() -> None:
    server = Server({7: b"Subject: one\r\n\r\n", 9: b"Subject: odd\r\n\r\n"})
    with serving(server) as account:
        assert settle(mail_on_server(account)) == list(server.messages.values())
        assert server.flags == {7: {r"\Seen"}, 9: {r"\Seen", r"\Flagged"}}
        assert settle(mail_on_server(account)) == []
    assert len(server.messages) == 2


def test_a_message_that_is_not_settled_is_read_again() -> None:
    server = Server({7: b"Subject: one\r\n\r\n"})
    with serving(server) as account:
        for _ in range(2):
            assert [mail.content for mail in mail_on_server(account)] == [server.messages[7]]
    assert server.flags == {}


@pytest.mark.parametrize(
    ("user", "password", "offers"),
    [("Bounce Reader", "secret", ""), ("bounces", "pässwörd", "AUTH=PLAIN"), ("zoë", "sé cret", "AUTH=PLAIN")],
)
def test_any_login_is_understood(user: str, password: str, offers: str) -> None:
    server = Server({7: b"Subject: one\r\n\r\n"}, user=user, password=password, offers=offers)
    with serving(server) as account:
        theirs = replace(account, user=user, password=password)
        assert settle(mail_on_server(theirs)) == [server.messages[7]]


def test_a_login_that_the_server_cannot_take_is_told_without_showing_it() -> None:
    with serving(Server({})) as account:
        text = refused(replace(account, password="pässwörd"))
    assert "no login with letters other than ASCII" in text
    assert "pässwörd" not in text


@pytest.mark.parametrize(
    ("folder", "spelled"),
    [("Zurück", "Zur&APw-ck"), ("Post & Co", "Post &- Co"), ("台北", "&U,BTFw-"), ('a"b', r"a\"b")],
)
def test_a_folder_is_found_whatever_letters_its_name_has(folder: str, spelled: str) -> None:
    server = Server({7: b"Subject: one\r\n\r\n"}, folder=spelled)
    with serving(server) as account:
        assert settle(mail_on_server(replace(account, folder=folder))) == [server.messages[7]]


def refused(account: ImapAccount) -> str:
    with pytest.raises(SourceError) as caught:
        list(mail_on_server(account))
    return str(caught.value)


def test_a_server_that_cannot_be_read_says_why_and_shows_no_login() -> None:
    server = Server({7: b"Subject: one\r\n\r\n"})
    with serving(server) as account:
        facts = {"host": account.host, "port": account.port, "user": "bounces", "context": account.context}
        text = refused(ImapAccount(**facts, password="wrong"))
        assert "refuses the login or the folder" in text
        assert "wrong" not in text
        assert "refuses the login or the folder 'Old'" in refused(ImapAccount(**facts, password="secret", folder="Old"))
        assert "no TLS that can be trusted" in refused(ImapAccount(**{**facts, "context": None}, password="secret"))
        server.drops_at = "FETCH"
        assert "closed the connection" in refused(ImapAccount(**facts, password="secret"))
        port = account.port
    assert "Connection refused" in refused(ImapAccount(**{**facts, "port": port}, password="secret"))
