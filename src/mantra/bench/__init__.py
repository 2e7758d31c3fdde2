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
pipeline.py    the whole engine on two cores: tick to trade, the Overseer, the cost of tracking
startup.py     cold compile and warm start of the whole engine
archive.py     bytes a row, rows a second; a recorder beside a producer at full rate
market_facts.py  recorded market data beside simulated, what can be measured of both: a table
"""
