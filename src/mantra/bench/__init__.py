"""What the engine's speed claims rest on: `mantra bench NAME`.

In:        the rooms below, through the functions that everyone else calls.
Out:       one object a bench: the machine, the numbers, and the bars they must hold.
Must not know: how to make a number better. A bench measures; it has no faster path of its own.

harness.py     Bench: results, bars, printing; repeats that are interleaved; the list of benches
book.py        level updates a second, beside other books
book_rows.py   the rows they are measured on
codec.py       messages of five venues to integers, beside JSON libraries
codec_frames.py  the frames it is measured on
icc.py         the queue between processes: one way, write, read, throughput; beside the floor
icc_peers.py   multiprocessing.Queue, Pipe and iceoryx2 under the same clock; the forked workers
ingest.py      5,764 instruments on 169 TLS connections: CPU a message, latency, beside others
ingest_handler.py the handler in its core process, and how it is measured
ingest_mix.py     who is on which connection, and what is said of each: recorded cycles
ingest_speech.py  the five venues' texts, with marks for numbers
ingest_server.py  the generator: TLS WebSockets at a set rate
ingest_parts.py   kernel, TLS, frames, JSON, books: each alone
ingest_peers.py   picows, websockets.sync, cryptofeed: a process each
pipeline.py    the whole engine on two cores: tick to trade, the Overseer, the cost of tracking
startup.py     cold compile and warm start of the whole engine
archive.py     bytes a row, rows a second; a recorder beside a producer at full rate
market_facts.py  recorded market data beside simulated, what can be measured of both: a table
"""
