"""What a venue asks of those who connect to its market data: the facts a plan needs, in one form.

In:        a venue's documentation; what it does not say is chosen, and marked `ours` there.
Out:       Rules.
Must not know: sockets.
"""

from dataclasses import dataclass

HOUR_S, DAY_S = 3_600, 86_400


@dataclass(frozen=True)
class Rules:
    """Limits are (so many, in so many seconds); {symbol} in a URL is the instrument's."""

    url: str  # of the WebSocket
    listing_url: str  # GET: all instruments
    symbols_max: int  # a connection
    sends: tuple[int, float]  # messages, of a connection
    attempts: tuple[int, float]  # connections, of an address
    idle_s: float  # without a byte: the connection is dead
    ping_s: float = 15.0  # ours, where a venue asks for none
    ping_text: str = ""  # the venue's own; "": a ping frame
    # Then it is replaced, before the venue cuts it: Binance's day; ours for those that name none.
    lifetime_s: float = DAY_S - HOUR_S / 2
    buffer_bytes: int = 1 << 20  # the longest
    snapshot_url: str = ""  # GET: a base that changes must join; "": it comes in the stream
    snapshot_weight: int = 1
    requests: tuple[int, float] = (10, 1.0)  # of weight, by REST; Coinbase's
