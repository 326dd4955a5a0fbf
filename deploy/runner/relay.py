"""What lies between the edge and one region's rclone: passes bytes on, and ends transfers that may not go on.

A transfer is let in by one question at its beginning. Twice a second the gate is asked about all that are open, so that
a machine that was revoked, suspended or replaced, or has used up its quota, neither stores nor reads any more when its
next request would be refused. rclone keeps nothing of an upload that is cut off.

The edge opens one connection for each request (keepalive is off), so only the head of the first one is read here.
"""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from selectors import EVENT_READ, EVENT_WRITE
from threading import Thread

from deploy.runner.transfers import Asked, Head, Transfer, Way, unreadable

BUFFER = 256 * 1024  # bytes; one for all transfers
ASK_EVERY = 0.5  # seconds
LINGER = 2.0  # seconds for the edge to hear an answer that came before it had sent all
UNTOLD = 30.0  # seconds without any answer after which nothing goes on
OF_ONE_MACHINE = 64  # transfers open at once; restic has 5, and some thirty where somebody has asked for many
REASONS = {403: "Forbidden", 408: "Request Timeout", 503: "Service Unavailable", 507: "Insufficient Storage"}
Ask = Callable[[list[Asked]], list[int] | None]


class Relay:
    """Listens on `path` for the edge and passes on to rclone's socket `target`; `ask` asks the gate.

    Until `writable` is set, everything but reading is told to ask again. So is a machine that has OF_ONE_MACHINE
    transfers open. While `most` are open altogether, whoever comes waits to be accepted.
    """

    def __init__(self, path: Path, target: Path, ask: Ask, most: int) -> None:
        self.writable = False
        self._most = most
        self._target = str(target)
        self._ask = ask
        self._transfers: set[Transfer] = set()
        self._buffer = memoryview(bytearray(BUFFER))
        self._selector = selectors.DefaultSelector()
        self._listener = _listening(path)
        self._woken, self._waker = socket.socketpair()  # so that what the gate says is acted on at once
        self._selector.register(self._woken, EVENT_READ)
        self._accepting = True
        self._listen()
        self._questions: SimpleQueue[list[tuple[Transfer, Asked]]] = SimpleQueue()
        self._verdicts: SimpleQueue[list[tuple[Transfer, int]] | None] = SimpleQueue()
        self._asking = False
        self._told = time.monotonic()
        self._threads = [Thread(target=run, daemon=True) for run in (self._run, self._keep_asking)]

    def start(self) -> None:
        """Begin, in threads of its own."""
        for thread in self._threads:
            thread.start()

    @property
    def works(self) -> bool:
        """False when a thread has died, which only a fault of ours brings about."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Take nothing new; what is under way goes on."""
        self._accepting = False

    # The thread that passes bytes on

    def _run(self) -> None:
        look = time.monotonic() + ASK_EVERY
        while True:
            for key, events in self._selector.select(max(0.0, look - time.monotonic())):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._hear()
                elif key.data in self._transfers:
                    self._serve(key.data, key.fileobj is key.data.edge, events)
            if time.monotonic() >= look:
                self._look(time.monotonic())
                look = time.monotonic() + ASK_EVERY

    def _listen(self) -> None:
        """Have whoever comes accepted, if there is room."""
        if len(self._transfers) < self._most and self._listener not in self._selector.get_map():
            self._selector.register(self._listener, EVENT_READ)

    def _accept(self) -> None:
        try:
            edge, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # out of descriptors, most likely: who waits would be reported again and again
            self._selector.unregister(self._listener)
            return
        edge.setblocking(False)
        transfer = Transfer(edge)
        self._transfers.add(transfer)
        self._selector.register(edge, EVENT_READ, transfer)
        if len(self._transfers) >= self._most:
            self._selector.unregister(self._listener)

    def _serve(self, transfer: Transfer, at_edge: bool, events: int) -> None:
        try:
            if transfer.ends is not None:
                if not transfer.edge.recv_into(self._buffer):
                    self._end(transfer)
                return
            if transfer.up is None or transfer.down is None:
                self._read_head(transfer)
                return
            reads, writes = (transfer.up, transfer.down) if at_edge else (transfer.down, transfer.up)
            if events & EVENT_WRITE and writes.waiting:
                self._flush(transfer, writes)
            if events & EVENT_READ and not reads.waiting:
                self._pass_on(transfer, reads)
        except BlockingIOError:
            return
        except OSError:
            self._end(transfer)

    def _read_head(self, transfer: Transfer) -> None:
        size = transfer.edge.recv_into(self._buffer)
        transfer.head += self._buffer[:size]
        if not size or unreadable(transfer.head):
            self._end(transfer)
            return
        request = transfer.request = Head.of(transfer.head)
        if request is None:
            return
        if (self.writable or request.reads) and self._has_room(request):
            self._connect(transfer, request)
        else:
            self._refuse(transfer, 503)

    def _has_room(self, request: Head) -> bool:
        """Whether the machine has few enough others open."""
        folder = request.folder
        others = sum(one.folder == folder and one.ends is None for one in self._transfers)
        return folder is None or others <= OF_ONE_MACHINE

    def _connect(self, transfer: Transfer, request: Head) -> None:
        try:
            rclone = transfer.rclone = socket.socket(socket.AF_UNIX)
            rclone.setblocking(False)
            rclone.connect(self._target)
        except OSError:
            self._refuse(transfer, 503)
            return
        transfer.up, transfer.down = Way(transfer.edge, rclone), Way(rclone, transfer.edge)
        self._selector.register(rclone, EVENT_READ, transfer)
        transfer.left = request.length - (len(transfer.head) - request.size)
        self._send(transfer, transfer.up, memoryview(transfer.head))
        transfer.head = b""

    def _pass_on(self, transfer: Transfer, way: Way) -> None:
        size = 0
        with suppress(ConnectionResetError):  # it hung up with something unread; what it said before was read before
            size = way.source.recv_into(self._buffer)
        if not size:
            self._end(transfer) if way is transfer.up else self._linger(transfer)
            return
        transfer.moved = time.monotonic()
        if way is transfer.up:
            transfer.left -= size
        else:
            transfer.answered = True
        self._send(transfer, way, self._buffer[:size])

    def _send(self, transfer: Transfer, way: Way, data: memoryview) -> None:
        sent = self._sent(transfer, way, data)
        if sent < len(data):
            way.waiting = bytes(data[sent:])
            self._watch(transfer)

    def _flush(self, transfer: Transfer, way: Way) -> None:
        way.waiting = way.waiting[self._sent(transfer, way, memoryview(way.waiting)) :]
        transfer.moved = time.monotonic()
        if not way.waiting:
            self._watch(transfer)

    def _sent(self, transfer: Transfer, way: Way, data: memoryview) -> int:
        """How many bytes went on. What rclone does not want any more is dropped: it has said why, or will not."""
        if transfer.unheard and way is transfer.up:
            return len(data)
        try:
            return way.target.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            if way is not transfer.up:
                raise
            transfer.unheard = True
            return len(data)

    def _watch(self, transfer: Transfer) -> None:
        """Have both ends watched for what is wanted of them now, and for nothing else: an end that has hung up would
        be reported without a pause."""
        up, down = transfer.up, transfer.down
        if up is None or down is None:
            return
        for end, reads, writes in ((up.source, up, down), (down.source, down, up)):
            wanted = (0 if reads.waiting else EVENT_READ) | (EVENT_WRITE if writes.waiting else 0)
            watched = end in self._selector.get_map()
            if wanted and watched:
                self._selector.modify(end, wanted, transfer)
            elif wanted:
                self._selector.register(end, wanted, transfer)
            elif watched:
                self._selector.unregister(end)

    # Ending transfers

    def _refuse(self, transfer: Transfer, status: int) -> None:
        """End it, with an answer where none has begun yet."""
        if not transfer.answered:
            again = "Retry-After: 1\r\n" if status == 503 else ""
            answer = f"HTTP/1.1 {status} {REASONS[status]}\r\n{again}Content-Length: 0\r\nConnection: close\r\n\r\n"
            with suppress(OSError):
                transfer.edge.send(answer.encode())
                transfer.answered = True
        self._linger(transfer)

    def _linger(self, transfer: Transfer) -> None:
        """End it, but go on reading for a moment what the edge still sends.

        Else it would find its connection broken, and tell the machine to ask again instead of what was answered.
        """
        if transfer.left <= 0 or not transfer.answered or transfer.ends is not None:
            self._end(transfer)
            return
        if transfer.rclone is not None:
            self._forget(transfer.rclone)
            transfer.rclone = None
        if transfer.edge in self._selector.get_map():
            self._selector.unregister(transfer.edge)
        with suppress(OSError):
            transfer.edge.shutdown(socket.SHUT_WR)
        transfer.ends = time.monotonic() + LINGER
        self._selector.register(transfer.edge, EVENT_READ, transfer)

    def _end(self, transfer: Transfer) -> None:
        if transfer not in self._transfers:
            return
        self._transfers.remove(transfer)
        for end in (transfer.edge, transfer.rclone):
            if end is not None:
                self._forget(end)

    def _forget(self, end: socket.socket) -> None:
        if end in self._selector.get_map():
            self._selector.unregister(end)
        end.close()

    def _look(self, now: float) -> None:
        """End what stands still, accept again where that had to pause, and hand over the next question."""
        if self._accepting:
            self._listen()
        elif self._listener.fileno() >= 0:
            self._forget(self._listener)
        for transfer in [one for one in self._transfers if one.ends is not None and one.ends < now]:
            self._end(transfer)
        for transfer in [one for one in self._transfers if one.ends is None and one.stands_still(now)]:
            self._refuse(transfer, 408)
        open_now = [one for one in self._transfers if one.ends is None]
        asked = [(one, one.request.asked) for one in open_now if one.request and one.request.asked]
        if not asked:
            self._told = now
        elif now - self._told > UNTOLD:
            for transfer, _ in asked:
                self._refuse(transfer, 503)
        elif not self._asking:
            self._asking = True
            self._questions.put([(one, question) for one, question in asked if question])

    def _hear(self) -> None:
        """Act on what the gate has said."""
        self._woken.recv(1)
        verdicts = self._verdicts.get()
        self._asking = False
        if verdicts is None:
            return
        self._told = time.monotonic()
        for transfer, status in verdicts:
            if status != 204 and transfer in self._transfers and transfer.ends is None:
                self._refuse(transfer, status if status in REASONS else 503)

    # The thread that asks

    def _keep_asking(self) -> None:
        while True:
            questions = self._questions.get()
            answers = self._ask([asked for _, asked in questions])
            if answers is None or len(answers) != len(questions):
                self._verdicts.put(None)
            else:
                self._verdicts.put([(one, status) for (one, _), status in zip(questions, answers, strict=True)])
            self._waker.send(b"!")


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(512)
    listener.setblocking(False)
    return listener
