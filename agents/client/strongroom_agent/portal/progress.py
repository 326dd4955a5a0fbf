"""Telling the portal how far setup is, while it runs: for whoever looks at the Quick Start page.

A thread of its own sends the newest state, each in the place of the one before. Nothing waits for it, and nothing
depends on it: what cannot be sent at once is dropped, and after a refusal nothing more is sent.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

import httpx

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.step_names import TOLD

GAP = 2.0
"""Seconds from one message to the next, at least."""
SIGN_OF_LIFE = 20.0
"""Seconds after which the same is said again, so that the page sees that setup lives."""
LAST = 1.0
"""Seconds that the end of setup waits for the last message, at most; not at all while the portal is away."""
TIMEOUT = httpx.Timeout(3, connect=2)
_LONGEST = 60.0  # seconds between attempts while the portal is away
_LEFT = 366 * 86_400  # seconds; what takes longer is not estimated
_FIGURES = ("files_done", "files_total", "bytes_done", "bytes_total", "rate", "seconds_left")

Send = Callable[[dict[str, object]], Mapping[str, object]]


class Nobody:
    """Where nobody is told: every run but setup's."""

    def tell(self, step: str, **figures: float | None) -> None:
        """Nothing."""


class Teller(Nobody):
    """Gathers what was looked at before there is a machine; after `start` the portal is told of that, and of each
    step."""

    def __init__(self, began_at: datetime | None = None) -> None:
        self._began_at = began_at or times.now()
        self._checks: list[dict[str, object]] = []
        self._state: dict[str, object] | None = None
        self._changed = threading.Condition()
        self._over = False
        self._thread: threading.Thread | None = None
        self._number = 0
        self._away = False

    def checked(self, step: str, **figures: int | bool) -> None:
        """Setup has looked at this, and found it in order."""
        assert step in TOLD  # noqa: S101 - a mistake of ours
        self._checks.append({"step": step, **figures})

    def start(self, send: Send) -> None:
        """Begin to tell, with `send`, which may raise whatever it likes."""
        self._thread = threading.Thread(target=self._work, args=(send,), daemon=True, name="progress")
        self._thread.start()

    def tell(self, step: str, **figures: float | None) -> None:
        """Setup is at this step, and so far in it; sizes in bytes, `rate` in bytes a second. Never waits."""
        assert step in TOLD  # noqa: S101 - a mistake of ours
        known = {name: max(0, int(value)) for name, value in figures.items() if name in _FIGURES and value is not None}
        if "seconds_left" in known:
            known["seconds_left"] = min(known["seconds_left"], _LEFT)
        self._put({"step": step, "state": "running", **known})

    def ended(self, code: str = "") -> None:
        """Setup is over: well, or with an error of this code. Waits a moment for the last message to be sent."""
        if self._state is not None:
            ended: dict[str, object] = {"state": "failed", "code": code} if code else {"state": "done"}
            self._put({"step": self._state["step"], **ended}, over=True)
        if self._thread is not None and not self._away:
            self._thread.join(LAST)

    def _put(self, state: dict[str, object], *, over: bool = False) -> None:
        with self._changed:
            self._state, self._over = state, over
            self._changed.notify()

    def _work(self, send: Send) -> None:
        gap, sent = GAP, None
        while True:
            state, over = self._next(sent)
            if state is not None:
                taken = self._send(send, state)
                if taken is None or over:
                    return
                self._away = not taken
                gap, sent = (GAP, state) if taken else (min(gap * 2, _LONGEST), sent)
            self._pause(gap)

    def _next(self, sent: dict[str, object] | None) -> tuple[dict[str, object] | None, bool]:
        """The state to send, once it is another one than what was sent, or long enough ago; and whether it is the last
        one."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._state is not sent, SIGN_OF_LIFE)
            return self._state, self._over

    def _pause(self, seconds: float) -> None:
        """Wait, though not when setup is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._over, seconds)

    def _send(self, send: Send, state: dict[str, object]) -> bool | None:
        """Whether it was taken; None where nothing more is to be sent."""
        self._number += 1
        message = {"began_at": times.render(self._began_at), "number": self._number, **state}
        if self._checks:
            message["checks"] = self._checks
        try:
            if not send(message).get("noted"):
                return None
        except AgentError as error:
            return False if error.code in ("network", "unavailable") else None
        except Exception:  # noqa: BLE001 - whatever it is, setup goes on
            return None
        self._checks = []
        return True
