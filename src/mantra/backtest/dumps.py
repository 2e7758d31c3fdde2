"""Raw dumps of whole connections, as cryptofeed writes them: lines -> events -> lines of a capture.

In:        whole lines:  URL <-> TIME              a connection was opened
                         URL <- TIME: TEXT         the client sent
                         URL -> TIME: TEXT         an answer to REST; ` header: {…}` may follow
                         TIME: TEXT                a frame was received
                         configuration: TEXT       what the client was told
           TIME is unix seconds as decimal text, which becomes ns without passing a float.
Out:       as many lines as a capture has them, `<19 digits of ns> <message>`, so that line numbers
           stay: of frames, and of answers, those with `@SYMBOL ` before the message where the
           address asked for one. All else was no word of the venue, and is a blank line.
Must not know: venues, what messages say.
"""

import re
from typing import NamedTuple

OPENED, SENT, ANSWER, FRAME = "opened", "sent", "answer", "frame"
KINDS = {b"<->": OPENED, b"<-": SENT, b"->": ANSWER, b"": FRAME}

LINE = re.compile(rb"(?:(\S+) (<->|<-|->) )?(\d{10})(?:\.(\d{1,9})\d*)?(?:: ([^\r]*))?\r?")
CONFIGURATION, HEADER = b"configuration: ", b" header: {"
# The symbol of a REST answer about one, in its address: the forms of all venues.
ASKED = re.compile(rb"/order_book/(\w+)|[?&](?:symbol|pair)=([\w-]+)|/products/([\w-]+)/")


class Event(NamedTuple):
    """A line of a dump."""

    kind: str
    ts_ns: int
    url: bytes  # empty: of a frame, that of the connection opened last
    text: bytes


def read_event(line: bytes) -> Event | None:
    """The event of a line; None if it is none."""
    match = LINE.fullmatch(line)
    if match is None:
        return None
    url, arrow, seconds, fraction, text = match.groups(b"")
    kind = KINDS[arrow]
    if kind == ANSWER and HEADER in text:
        text = text.rpartition(HEADER)[0]
    return Event(kind, int(seconds) * 1_000_000_000 + int(fraction.ljust(9, b"0")), url, text)


def is_dump(text: bytes) -> bool:
    """Whether a file that begins so is a dump."""
    return read_event(text.lstrip().partition(b"\n")[0]) is not None


def as_capture(text: bytes) -> bytes:
    """Whole lines of a dump as lines of a capture: as many."""
    return b"\n".join(map(_capture_line, text.split(b"\n")))


def _capture_line(line: bytes) -> bytes:
    event = read_event(line)
    if event is None:
        return b"" if line.startswith(CONFIGURATION) else line
    if event.kind in (OPENED, SENT):
        return b""
    asked = ASKED.search(event.url)
    symbol = b"@" + asked[asked.lastindex or 0] + b" " if asked else b""
    return b"%d %b%b" % (event.ts_ns, symbol, event.text)
