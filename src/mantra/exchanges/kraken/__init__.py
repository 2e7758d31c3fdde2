"""Kraken: spot, WebSocket v2; the frozen v1 for recordings of earlier years.

public.py         market data of WebSocket v2: book, trade -> records
legacy.py         the same of WebSocket v1, whose frames are arrays
checksum.py       CRC-32 of a book by the venue's rule; the cut to the depth subscribed to
instruments.py    listings: the `instrument` snapshot of v2, the answer to GET AssetPairs
subscriptions.py  requests to subscribe, and what the venue asks of a connection

Loss is found by the checksum alone: v2's public channels have no sequence numbers. Fees are those
of an account without discounts,
and ours: no text at hand confirms them.
"""

# Name in the tables: maker and taker fee in parts per million.
VENUES = {"kraken": {"maker_fee_ppm": 2_500, "taker_fee_ppm": 4_000}}
