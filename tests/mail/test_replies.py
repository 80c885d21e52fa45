from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.replies import MAX_REPLY, Scope, Stage, decide, enhanced_status, without_addresses
from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState

ACCEPTED, DEFERRED, REJECTED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED
RCPT, MAIL, DATA, CONTENT = Stage.RCPT, Stage.MAIL, Stage.DATA, Stage.CONTENT


def judge(stage: Stage, reply: str):
    code, _, text = reply.partition(" ")
    return decide(stage, int(code), enhanced_status(text), text)


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <alice@a.example>: Recipient address rejected: User unknown",
        "550 5.1.2 no such domain",
        "501 5.1.3 bad address syntax",
        "551 5.1.6 mailbox has moved",
        "556 5.1.10 null MX",
        "550 5.1.10 null MX",
        "556 domain takes no mail",
    ],
)
def test_a_dead_address_bounces(reply):
    verdict = judge(RCPT, reply)
    assert (verdict.state, verdict.scope, verdict.bounced) == (REJECTED, Scope.READER, True)


def test_a_dead_address_found_only_after_the_dot_bounces_too():
    assert judge(CONTENT, "550 5.1.1 no such user").bounced


@pytest.mark.parametrize(
    ("stage", "reply", "state", "scope"),
    [
        (RCPT, "550 no", REJECTED, Scope.READER),
        (RCPT, "553 no", REJECTED, Scope.READER),
        (RCPT, "550 5.2.1 disabled", REJECTED, Scope.READER),
        (RCPT, "552 5.2.2 full", REJECTED, Scope.READER),
        (RCPT, "552 full", REJECTED, Scope.READER),
        (RCPT, "452 4.2.2 full", DEFERRED, Scope.READER),
        (RCPT, "551 not local", REJECTED, Scope.READER),
        (RCPT, "554 no", REJECTED, Scope.READER),
        (RCPT, "554 5.3.0 their disk", REJECTED, Scope.READER),
        (RCPT, "550 5.4.4 no route", REJECTED, Scope.READER),
        (RCPT, "550 Rejected by the Example RBL", REJECTED, Scope.DOMAIN),
        (RCPT, "450 later", DEFERRED, Scope.DOMAIN),
        (RCPT, "450 4.2.0 not now", DEFERRED, Scope.READER),
        (RCPT, "450 4.2.1 busy", DEFERRED, Scope.READER),
        (RCPT, "450 4.2.2 full", DEFERRED, Scope.READER),
        (RCPT, "451 4.4.1 no route to that host", DEFERRED, Scope.DOMAIN),
        (RCPT, "450 4.4.3 no answer of the name server", DEFERRED, Scope.DOMAIN),
        (RCPT, "452 4.5.3 too many recipients", DEFERRED, Scope.CONNECTION),
        (RCPT, "454 4.3.0 not now", DEFERRED, Scope.CONNECTION),
        (CONTENT, "451 4.4.2 timeout", DEFERRED, Scope.CONNECTION),
        (RCPT, "450 4.1.1 unverified address", DEFERRED, Scope.READER),
        (RCPT, "452 4.3.1 no room", DEFERRED, Scope.CONNECTION),
        (RCPT, "452 no room", DEFERRED, Scope.CONNECTION),
        (RCPT, "554 5.7.1 blocked, see our policy", REJECTED, Scope.DOMAIN),
        (RCPT, "550 5.7.26 unauthenticated mail is not accepted", REJECTED, Scope.DOMAIN),
        (RCPT, "550 5.7.515 access denied", REJECTED, Scope.DOMAIN),
        (RCPT, "550 5.7.515 the sender is not authenticated", REJECTED, Scope.DOMAIN),
        (CONTENT, "550 5.7.515 the sender is not authenticated", REJECTED, Scope.LETTER),
        (RCPT, "550 5.7.26 the sender is not authenticated", REJECTED, Scope.DOMAIN),
        (CONTENT, "550 5.7.23 sender address rejected: SPF", REJECTED, Scope.LETTER),
        (RCPT, "552 5.2.3 too large for this mailbox", REJECTED, Scope.LETTER),
        (RCPT, "451 4.7.0 too many messages, slow down", DEFERRED, Scope.CONNECTION),
        (RCPT, "450 4.7.1 rate limit exceeded", DEFERRED, Scope.CONNECTION),
        (RCPT, "451 4.7.5 not now", DEFERRED, Scope.CONNECTION),
        (RCPT, "450 4.1.8 not now", DEFERRED, Scope.CONNECTION),
        (RCPT, "450 4.1.7 not now", DEFERRED, Scope.CONNECTION),
        (RCPT, "553 5.6.7 no SMTPUTF8", REJECTED, Scope.LETTER),
        (DATA, "451 later", DEFERRED, Scope.LETTER),
        (DATA, "554 no", REJECTED, Scope.LETTER),
        (CONTENT, "451 4.3.0 disk", DEFERRED, Scope.CONNECTION),
        (CONTENT, "451 scanner away", DEFERRED, Scope.LETTER),
        (CONTENT, "552 5.3.4 too big", REJECTED, Scope.LETTER),
        (CONTENT, "552 too big", REJECTED, Scope.LETTER),
        (CONTENT, "552 5.2.2 full", REJECTED, Scope.READER),
        (CONTENT, "554 5.7.1 spam", REJECTED, Scope.LETTER),
        (CONTENT, "554 5.6.0 bad MIME", REJECTED, Scope.LETTER),
        (CONTENT, "250 2.0.0 queued", ACCEPTED, Scope.READER),
        (MAIL, "552 5.3.4 too big", REJECTED, Scope.LETTER),
        (MAIL, "552 too big", REJECTED, Scope.LETTER),
        (MAIL, "451 4.3.0 later", DEFERRED, Scope.CONNECTION),
        (MAIL, "450 4.1.8 your domain does not resolve", DEFERRED, Scope.CONNECTION),
    ],
)
def test_each_answer_has_its_verdict_and_none_of_these_bounces(stage, reply, state, scope):
    verdict = judge(stage, reply)
    assert (verdict.state, verdict.scope, verdict.bounced) == (state, scope, False)


@pytest.mark.parametrize(
    ("stage", "reply", "kind"),
    [
        (RCPT, "550 5.1.1 nobody", BounceKind.DEAD),
        (RCPT, "550 5.2.1 disabled", BounceKind.DOUBTFUL),
        (CONTENT, "550 5.2.1 disabled", BounceKind.DOUBTFUL),
        (RCPT, "550 no", BounceKind.DOUBTFUL),
        (RCPT, "553 no", BounceKind.DOUBTFUL),
        (RCPT, "550 5.0.0 no", BounceKind.DOUBTFUL),
        (RCPT, "554 5.4.4 no route", BounceKind.DOUBTFUL),
        (RCPT, "552 5.2.2 full", BounceKind.SOFT),
        (RCPT, "554 5.3.0 their disk", BounceKind.SOFT),
        (RCPT, "552 full", BounceKind.SOFT),
        (RCPT, "452 4.2.2 full", None),  # counts when it is given up
        (RCPT, "554 no", None),
        (RCPT, "550 IP blocked, see example.net/rbl", None),
        (RCPT, "550 5.7.1 no", None),
        (RCPT, "552 5.2.3 too large", None),
        (CONTENT, "550 no", None),
        (RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)", BounceKind.DOUBTFUL),
        (RCPT, "550 5.7.1 <x@a.example>: Recipient address rejected: User unknown", BounceKind.DOUBTFUL),
        (RCPT, "554 5.7.1 unknown user", BounceKind.DOUBTFUL),
        (RCPT, "554 No such recipient here", BounceKind.DOUBTFUL),
        (RCPT, "553 5.3.0 <x@a.example>... This mailbox\ndoes not exist", BounceKind.DOUBTFUL),
        (RCPT, "550 5.5.1 Invalid recipient", BounceKind.DOUBTFUL),
        (RCPT, "552 5.2.2 full, mailbox unavailable", BounceKind.SOFT),
        (RCPT, "550 5.7.1 mailbox unavailable: rejected by policy", None),
        (RCPT, "550 5.7.1 mailbox unavailable: your IP is on our block list", None),
        (RCPT, "550 5.7.1 mailbox unavailable, bad reputation", None),
        (RCPT, "550 5.7.1 recipient unknown, relaying denied", None),
        (RCPT, "550 5.7.1 the address of the sender does not exist", None),
        (CONTENT, "554 5.7.1 the article on the user unknown to customs looks like spam", None),
    ],
)
def test_a_refusal_says_of_the_address_what_a_letter_that_came_back_would(stage, reply, kind):
    assert judge(stage, reply).bounce is kind


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        (Stage.CONNECT, "554 go away"),
        (RCPT, "550 5.4.5 Daily user sending quota exceeded"),
        (RCPT, "550 Your sending limit is reached"),
        (CONTENT, "550 5.4.5 no more for today"),
        (Stage.EHLO, "550 5.7.1 no"),
        (Stage.STARTTLS, "454 4.7.0 not now"),
        (Stage.AUTH, "535 5.7.8 wrong password"),
        (MAIL, "550 sender unknown"),
        (MAIL, "553 5.7.1 sender not yours"),
        (MAIL, "530 5.7.0 Authentication required"),
        (RCPT, "554 5.7.1 <alice@a.example>: Relay access denied"),
        (RCPT, "454 4.7.1 <alice@a.example>: Relay access denied"),
        (RCPT, "550 5.7.1 Unable to relay"),
        (RCPT, "550 relay not permitted"),
        (RCPT, "530 no"),
        (RCPT, "550 5.1.7 no"),
        (CONTENT, "550 5.1.8 no"),
        (RCPT, "550 5.7.8 no"),
        (RCPT, "550 5.7.9 no"),
        (RCPT, "550 5.7.11 no"),
        (CONTENT, "550 5.7.14 no"),
        (RCPT, "553 5.7.1 <digest@b.example>: Sender address rejected: not logged in"),
        (RCPT, "554 5.7.1 <host>: Client host rejected: Access denied"),
        (RCPT, "550 5.1.8 Sender address rejected: Domain not found"),
    ],
)
def test_a_fault_of_our_set_up_is_never_blamed_on_a_reader(stage, reply):
    verdict = judge(stage, reply)
    assert (verdict.state, verdict.scope, verdict.bounced) == (DEFERRED, Scope.RELAY, False)


@pytest.mark.parametrize(
    "words",
    [
        "relaying not allowed",
        "Relaying prohibited by administrator",
        "relay not permitted",
        "Cannot relay to that host",
        "You may not relay through here",
        "Helo command rejected: need fully-qualified hostname",
        "Authentication required",
        "Authentication is required for this",
        "You must authenticate first",
        "Not authenticated",
        "Must issue a STARTTLS command first",
        "Outbound rate exceeded",
        "your hourly message quota",
        "daily sending limit",
        "outgoing limit",
        "relaying quota exceeded",
        "sender is over limit",
    ],
)
def test_what_a_relay_says_of_our_set_up_without_a_status_is_told_by_its_words(words):
    verdict = judge(RCPT, f"550 {words}")
    assert (verdict.state, verdict.scope, verdict.bounce) == (DEFERRED, Scope.RELAY, None)


@pytest.mark.parametrize(
    "words",
    [
        "your host is on our blacklist",
        "listed in a block list",
        "denylisted",
        "see the RBL",
        "found in dnsbl.example",
        "looks like spam",
        "low reputation",
        "mail blocked by our filter",
        "blocked using zen.example",
        "blocked for abuse",
        "blocked due to complaints",
        "this sender is blocked",
        "client host [192.0.2.1] blocked",
        "your server has been banned",
        "IP banned",
    ],
)
def test_a_refusal_for_our_reputation_without_a_status_is_told_by_its_words(words):
    verdict = judge(RCPT, f"550 {words}")
    assert (verdict.state, verdict.scope, verdict.bounce) == (REJECTED, Scope.DOMAIN, None)


@pytest.mark.parametrize(
    "words",
    [
        "user unknown",
        "recipient not found",
        "mailbox does not exist",
        "this account doesn't exist",
        "addressee no longer exists",
        "that address is no longer valid",
        "alias no longer in use",
        "unknown user",
        "no such person here",
        "invalid recipient",
        "non-existent mailbox",
        "nonexistent account",
        "unknown local addressee",
        "no such e-mail address",
        "invalid email alias",
        "mailbox is unavailable",
        "mailbox not available",
        "no mailbox here by that name",
        "no user with this name",
        "no account of that name",
        "not a valid mailbox",
        "not a known user",
        "not a valid recipient",
        "not a known account",
    ],
)
def test_an_address_that_does_not_exist_is_told_by_words_where_the_status_is_of_something_else(words):
    verdict = judge(RCPT, f"550 5.7.1 {words}")
    assert (verdict.scope, verdict.bounce) == (Scope.READER, BounceKind.DOUBTFUL)


@pytest.mark.parametrize(
    "whose", ["policy", "policies", "sender", "SPF", "DKIM", "DMARC", "PTR", "DNS", "rDNS", "reverse lookup", "IP"]
)
def test_the_same_words_beside_what_is_ours_say_nothing_of_the_address(whose):
    assert judge(RCPT, f"550 5.7.1 mailbox unavailable ({whose})").bounce is None


@pytest.mark.parametrize(
    "words",
    [
        "rate exceeded",
        "too many letters",
        "too much mail",
        "too fast",
        "throttled",
        "over the limit",
        "slow down",
        "rates",
    ],
)
def test_who_is_told_to_slow_down_is_not_greylisted(words):
    verdict = judge(RCPT, f"450 4.7.1 {words}")
    assert (verdict.scope, verdict.greylisted) == (Scope.CONNECTION, False)


@pytest.mark.parametrize(
    "reply", ["450 4.7.1 try again", "451 4.7.1 later", "450 Greylisted", "451 4.5.1 gray-listing"]
)
def test_greylisting_is_told_from_other_refusals(reply):
    verdict = judge(RCPT, reply)
    assert (verdict.state, verdict.scope, verdict.greylisted) == (DEFERRED, Scope.READER, True)


@pytest.mark.parametrize("stage", Stage)
def test_421_speaks_of_the_connection_at_any_stage(stage):
    verdict = judge(stage, "421 4.7.0 closing")
    assert (verdict.state, verdict.scope) == (DEFERRED, Scope.CONNECTION)


@pytest.mark.parametrize("stage", Stage)
def test_commands_out_of_step_are_nobodys_fault_at_any_stage(stage):
    verdict = judge(stage, "503 5.5.1 bad sequence of commands")
    assert (verdict.state, verdict.scope, verdict.bounce) == (DEFERRED, Scope.CONNECTION, None)


@pytest.mark.parametrize(
    ("stage", "reply", "words"),
    [
        (Stage.CONNECT, "450 4.3.2 not now", "lets nobody in for now"),
        (Stage.CONNECT, "554 no", "does not let us in"),
        (MAIL, "450 not now", "takes nothing for now"),
        (RCPT, "451 4.4.1 no route", "domain cannot be reached now"),
        (CONTENT, "550 5.7.1 no", "reputation or content"),
        (CONTENT, "550 no", "refuses this letter"),
    ],
)
def test_the_reason_tells_people_what_was_refused(stage, reply, words):
    assert words in judge(stage, reply).reason


@given(
    st.sampled_from(Stage),
    st.integers(400, 599),
    st.one_of(st.just(""), st.from_regex(r"[45]\.[0-7]\.[0-9]{1,2}", fullmatch=True)),
    st.text(max_size=40),
)
def test_every_refusal_has_a_verdict_that_its_code_allows(stage, code, enhanced, text):
    verdict = decide(stage, code, enhanced, text)
    assert verdict.reason
    if code < 500:
        assert verdict.state is DEFERRED
    else:
        assert verdict.state in {DEFERRED, REJECTED}
        if verdict.state is DEFERRED:  # a 5xx is put off only where it is nobody's letter that was refused
            assert verdict.scope in {Scope.RELAY, Scope.CONNECTION}
    if verdict.bounced:
        assert enhanced in {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"} or code == 556
    if verdict.greylisted:
        assert code < 500


def test_no_policy_refusal_ever_suppresses_a_reader():
    for stage in (RCPT, DATA, CONTENT):
        for detail in range(40):
            assert not decide(stage, 550, f"5.7.{detail}", "").bounced


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.1.1 no such user", "5.1.1"),
        ("4.7.1", "4.7.1"),
        ("5.7.515 Access denied", "5.7.515"),
        ("#5.1.0 Address rejected", "5.1.0"),
        ("5.1.1\n5.1.1 see our page", "5.1.1"),
        ("no such user 5.1.1", ""),
        ("5.1.1.2 is an address", ""),
        ("3.1.1 no class", ""),
        ("", ""),
    ],
)
def test_the_enhanced_status_is_read_at_the_start_only(text, status):
    assert enhanced_status(text) == status


@pytest.mark.parametrize(
    "text",
    [
        "5.1.1 <alice@a.example>: User unknown",
        '5.1.1 <"alice smith"@a.example> unknown',
        "RCPT TO:<alice=a.example@b.example>",
        "see https://b.example/?e=alice%40a.example",
        "ali\r\nce@a.example",
    ],
)
def test_a_reply_is_stored_without_the_address_in_it(text):
    kept = without_addresses(text)
    assert "@" not in kept
    assert "%40" not in kept
    assert "smith" not in kept
    assert "alice" not in kept


@pytest.mark.parametrize("text", ["x" * 1_000, "x" * (MAX_REPLY - 1) + " y" * 50])
def test_what_is_stored_of_a_long_reply_is_its_beginning(text):
    assert without_addresses(text) == text[:MAX_REPLY].rstrip()


@given(st.text(max_size=400) | st.from_regex(r"[a-z.\"' <>]{1,20}@[a-z. <>]{1,20}", fullmatch=True))
def test_what_is_stored_of_a_reply_is_one_short_printable_line_without_an_address(text):
    kept = without_addresses(text)
    assert "@" not in kept
    assert len(kept) <= MAX_REPLY
    assert kept == kept.strip()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in kept)
    kept.encode()  # no lone surrogate from a reply in some other encoding


@pytest.mark.parametrize("letter", ["a", '"', "%4", "a."])
def test_a_megabyte_without_a_blank_is_read_in_one_go(letter):
    """Looked at from each of its letters it would take hours."""
    assert without_addresses(letter * (1_000_000 // len(letter)) + "@a.example later") == "(address) later"
