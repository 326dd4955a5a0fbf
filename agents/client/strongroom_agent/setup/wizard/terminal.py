"""Asking where the terminal can do more than lines: answers are checked while they are typed, Tab completes paths."""

import contextlib
import os
import sys
from collections.abc import Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_or_none
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.output import ColorDepth, Output, create_output

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import printable

from .asking import BACK, Ended, Lines, Question


class Terminal(Lines):
    """Asks with an editable line, and above it whether what stands there will do. No colours, so none are missed."""

    def read(self, question: Question) -> str:
        """One line as it was typed. The arrow up brings the default, to be changed."""
        history = InMemoryHistory([question.default] if question.default and not question.secret else [])
        session: PromptSession[str] = PromptSession(
            message=lambda: self._before_the_line(question),
            output=_output(),
            color_depth=ColorDepth.DEPTH_1_BIT,
            history=history,
            is_password=question.secret,
            completer=_Paths() if question.paths else None,
            complete_while_typing=False,
            enable_suspend=False,
            enable_open_in_editor=False,
            reserve_space_for_menu=0 if not question.paths else 4,
        )
        with _terminal_as_it_was():
            try:
                return session.prompt(handle_sigint=False)
            except EOFError:
                raise Ended from None

    def _before_the_line(self, question: Question) -> str:
        """A line above on how the answer stands. Once it is given the answer alone stays on the screen."""
        app = get_app_or_none()
        typed = app.current_buffer.text if app else ""
        if app and app.is_done:
            return "> " if typed.strip() else f"> {printable(question.default)}"
        return f"{self._above(question, typed)}\n> "

    def _above(self, question: Question, typed: str) -> str:
        """What to do, or how what was typed stands."""
        text = typed if question.secret else typed.strip()
        if not text:
            return self._cut(f"({question.about})")
        if text == BACK:
            return "(Enter goes back)"
        if question.check is None:
            return "(Enter goes on)"
        try:
            question.check(text)
        except AgentError as error:
            return self._cut(f"{self.cross} {error.problem}")
        return f"{self.tick} (Enter goes on)"

    def _cut(self, text: str) -> str:
        room = self.width - 1
        text = printable(text, keep="")
        return text if len(text) <= room else text[: room - 3] + "..."


class _Paths(Completer):
    """Paths; where several stand in a row with commas between them, the last one."""

    def __init__(self) -> None:
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What the path that is being typed may become."""
        last = document.text_before_cursor.rpartition(",")[2].lstrip()
        yield from self._paths.get_completions(Document(last), complete_event)


def _output() -> Output:
    """Standard error, since standard output is for the answer. Nothing is asked of the terminal: not all can answer."""
    if sys.platform == "win32":
        return create_output(stdout=sys.stderr)
    from prompt_toolkit.output.vt100 import Vt100_Output

    return Vt100_Output(sys.stderr, _size, os.environ.get("TERM"), ColorDepth.DEPTH_1_BIT, enable_cpr=False)


def _size() -> Size:
    """Of the window; some serial lines say nothing of it, or nought."""
    try:
        found = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        return Size(rows=24, columns=80)
    return Size(rows=found.lines or 24, columns=found.columns or 80)


@contextlib.contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """A signal ends the question in the middle, wherever it is; then the terminal must echo again."""
    if sys.platform == "win32":
        yield
        return
    import termios

    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # it has gone
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
