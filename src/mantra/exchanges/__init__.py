"""Venue codecs: the bytes of an exchange <-> the messages of this engine.

In:        bytes as a venue sends them, addresses of records to write into.
Out:       L2Update and TradeUpdate records; the reason and place where bytes are refused.
Must not know: sockets, files, queues, clocks. A codec does no I/O and makes no Python objects.

eight_bytes.py   text eight bytes at a time
json_scanner.py  what all JSON venues share: strings, numbers, values, with bounds respected
fields.py        what is in them: walks, words, numbers; levels and trades into records
times.py         text of a time -> ns
listing.py       a venue's listing of instruments, in one form for all
decoded.py       what a decoder says of a message: kinds, reasons of refusal, the result record
symbols.py       a venue's symbol -> instrument and exponents, by hash
codecs.py        which codec decodes what, by number
bridging.py      the order of snapshot and diffs, by the ids in them
rules.py         what a venue asks of those who connect, in one form for all
crc32.py         the checksum that venues take of their books' text
binance/         spot and USD-margined futures
bitfinex/        spot
bitstamp/        spot
coinbase/        Advanced Trade, and Coinbase Exchange of recordings
kraken/          spot
mock/            the exchange that answers orders from recorded or live data
simulated/       the seeded order-flow generator

A venue is a folder once it has code. Its `__init__.py` is a table of the venue's facts.
"""
