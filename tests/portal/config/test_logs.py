"""No stranger rolls the log over: lines about what is refused are short and few; mistakes of ours are all there."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.test import Client

from portal.accounts.models import User
from portal.config.logs import LONGEST, LONGEST_AWAY, LONGEST_TRACEBACK, MINUTE, MOST_IN_A_MINUTE, MOST_MISTAKES, Brief
from tests.agents import peer
from tests.portal.pages import window

AT = 1_800_000_000.0  # a moment, in seconds
STRANGERS = ["django.request", "django.security.DisallowedHost", "agents.protocol.refusal_log"]


class Kept(logging.Handler):
    """Keeps the lines that would be written, with their tracebacks, as they would be."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self.addFilter(Brief())
        self.lines: list[str] = []
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += self.format(record).splitlines()
        self.messages.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What the whole site logs, in the place of its own handler: that one may have lines of other tests to tell of."""
    handler, root = Kept(), logging.getLogger()
    level, others = root.level, root.handlers
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    yield handler
    root.handlers = others
    root.setLevel(level)


def line(
    name: str, text: str = "Not Found: /x", *, at: float = AT, error: Exception | None = None, status: int = 0
) -> logging.LogRecord:
    """A line as the logger of this name makes it."""
    caught = None
    if error is not None:
        try:
            raise error
        except Exception:  # noqa: BLE001 - for its traceback
            caught = sys.exc_info()
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, "%s", (text,), caught)
    made.created = at
    if status:
        made.status_code = status
    return made


def test_the_site_logs_through_it() -> None:
    handlers: Any = settings.LOGGING["handlers"]
    assert {name: handler["filters"] for name, handler in handlers.items()} == {"console": ["brief"]}


@pytest.mark.parametrize(("path", "status"), [("/" + "B" * 30_000, 404), ("/api/v1/" + "B" * 30_000, 401)])
def test_a_stranger_cannot_roll_the_log_over_with_long_addresses(db: None, kept: Kept, path: str, status: int) -> None:
    """As it was found: 30 KB a line."""
    assert Client().get(path).status_code == status
    assert [len(message) for message in kept.messages] == [LONGEST]


def test_nor_with_a_wrong_host(kept: Kept) -> None:
    response = Client(raise_request_exception=False).get("/", headers={"Host": "a" * 4000 + ".example"})
    assert response.status_code == 400
    assert [message[:27] for message in kept.messages] == ["Invalid HTTP_HOST header: '"]
    assert [len(message) for message in kept.messages] == [LONGEST] == [LONGEST] * len(kept.lines)


def test_nor_by_asking_for_what_they_may_not(staff: User, kept: Kept) -> None:
    """As it was found: a traceback each time that somebody who is no administrator goes to the administration."""
    assert window(staff).get("/admin/login/").status_code == 403
    assert kept.messages == ["Forbidden (Permission denied): /admin/login/"]
    assert len(kept.lines) == 1


def test_nor_with_many_requests(db: None, kept: Kept) -> None:
    """Refused pages and refused messages of machines count as one."""
    client = Client()
    for number in range(MOST_IN_A_MINUTE):
        client.get(f"/nothing/{number}")
        peer.send("heartbeat", b"junk")
    assert len(kept.messages) == MOST_IN_A_MINUTE
    assert {message.split(" ")[0] for message in kept.messages} == {"Not", "Message", "Forbidden:"}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_was_left_out_is_told_once_the_minute_is_over(name: str, kept: Kept) -> None:
    """With whatever line comes next; then there is room again."""
    brief = kept.filters[0]
    assert isinstance(brief, Brief)
    taken = [brief.filter(line(name, at=AT + number / 10)) for number in range(MOST_IN_A_MINUTE + 7)]
    assert taken == [True] * MOST_IN_A_MINUTE + [False] * 7
    assert brief.filter(line("vaults.tasks", at=AT + MINUTE - 1))
    assert kept.messages == []
    assert brief.filter(line("vaults.tasks", at=AT + MINUTE))
    (told,) = kept.messages
    assert told.startswith("7 more lines about what was refused were left out, from ")
    assert brief.filter(line(name, at=AT + MINUTE + 1))
    assert brief.filter(line(name, at=AT + 3 * MINUTE))
    assert kept.messages == [told]


def test_a_clock_that_is_put_back_silences_nobody() -> None:
    brief = Brief()
    for _ in range(MOST_IN_A_MINUTE + 1):
        brief.filter(line("django.request"))
    assert brief.filter(line("django.request", at=AT - 3600))


@pytest.mark.parametrize(("error", "status"), [(PermissionDenied(), 403), (BadRequest("x"), 400), (OSError(), 499)])
def test_refusals_have_no_traceback(error: Exception, status: int) -> None:
    record = line("django.request", "x" * 500, error=error, status=status)
    assert Brief().filter(record)
    assert (record.exc_info, record.exc_text, len(record.getMessage())) == (None, None, LONGEST)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("django.request", 500),
        ("django.request", 0),
        ("agents.protocol.refusal_log", 0),
        ("portal.web.middleware", 0),
        ("vaults.tasks", 0),
        ("django.requests", 404),
    ],
)
def test_mistakes_of_ours_are_there_with_their_traceback(name: str, status: int) -> None:
    """However many lines strangers have caused before; but not without end, since they may have found a mistake."""
    brief = Brief()
    for number in range(2 * MOST_IN_A_MINUTE):
        brief.filter(line(STRANGERS[number % 3]))
    for number in range(2 * MOST_MISTAKES):
        record = line(name, "x" * 500, error=ValueError("a mistake"), status=status)
        assert brief.filter(record) is (number < MOST_MISTAKES)
        assert (record.exc_info is None, len(record.getMessage())) == (False, 500)
        assert str(record.exc_text).endswith("\n  ValueError: a mistake")


def test_no_text_that_was_sent_makes_a_line(kept: Kept) -> None:
    """As it was found: a text in an error of ours, with ends of lines and escapes in it."""
    forged = "x\n2026-11-27 19:07:00,000 WARNING portal admin signed in\r\x1b[31mred\u2028y"
    try:
        raise ValueError(forged)
    except ValueError:
        logging.getLogger("django.request").exception("Internal Server Error: %s", forged)
    first, *others = kept.lines
    assert first.endswith(
        "Internal Server Error: x\ufffd2026-11-27 19:07:00,000 WARNING portal admin signed in\ufffd\ufffd[31mred\ufffdy"
    )
    assert all(text.startswith("  ") for text in others)
    assert not {"\x1b", "\r", "\u2028"} & set("".join(kept.lines))


def test_a_traceback_has_an_end() -> None:
    record = line("vaults.tasks", error=ValueError("y" * 100_000))
    assert Brief().filter(record)
    assert len(str(record.exc_text)) < LONGEST_TRACEBACK + 500


@pytest.mark.parametrize("name", ["vaults.tasks", "portal.config.beat_app", "django", "django.server"])
def test_what_the_portal_says_of_itself_is_not_bounded(name: str) -> None:
    brief, text = Brief(), "y" * 500
    records = [line(name, text) for _ in range(2 * MOST_IN_A_MINUTE)]
    assert all(brief.filter(record) for record in records)
    assert {record.getMessage() for record in records} == {text}


def test_a_database_that_is_away_has_lines_of_its_own() -> None:
    """Short ones without tracebacks, and not too many; what strangers cause besides takes none of them."""
    brief = Brief()
    for _ in range(2 * MOST_IN_A_MINUTE):
        brief.filter(line("django.request"))
    away = [line("portal.web.middleware", "The database does not answer (gone): GET '/" + "B" * 30_000)]
    away += [line("vaults.tasks", "z" * 500, error=OperationalError("gone")) for _ in range(MOST_IN_A_MINUTE)]
    assert [brief.filter(record) for record in away] == [True] * MOST_IN_A_MINUTE + [False]
    assert {(record.exc_info, len(record.getMessage())) for record in away} == {(None, LONGEST_AWAY)}
    assert away[0].getMessage().startswith("The database does not answer (gone)")


def test_what_cannot_be_printed_is_not() -> None:
    record = line("django.request", "Not Found: /\x1b[31m\n2026 ERROR all is lost")
    assert Brief().filter(record)
    assert record.getMessage() == "Not Found: /\ufffd[31m\ufffd2026 ERROR all is lost"
