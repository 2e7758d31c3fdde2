"""Second stage of `make fuzz`: one target as machine code, on inputs found and on mutations.

    python -m tests.fuzz.compiled TARGET SECONDS FOLDER

An input lies in a file before it is read: what ends the process can be read there.
"""

import mmap
import signal
import sys
import time
from pathlib import Path
from random import Random

from tests.fuzz.corpus import seeds
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import SEED_BYTES, TARGETS, recorded_seeds

SECONDS_MAX = 10


def main() -> None:
    name, seconds, room = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    check = TARGETS[name]
    inputs = [*seeds(name), *recorded_seeds(name)]
    inputs += [path.read_bytes() for path in sorted((room / name).iterdir())]
    found = room / f"found-{name}-compiled"
    found.write_bytes(bytes(8 * SEED_BYTES))
    with found.open("r+b") as file:
        last = mmap.mmap(file.fileno(), 0)
    for raw in inputs[: len(seeds(name))]:
        check(raw)  # compiles
    # Its default is to end the process: no Python is run while machine code hangs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    began, runs, accepted, random = time.monotonic(), 0, 0, Random(time.time_ns())
    while runs < len(inputs) or time.monotonic() - began < seconds:
        raw = inputs[runs] if runs < len(inputs) else mutate(random.choice(inputs), random, inputs)
        raw = raw[: len(last) - 8]
        last[: 8 + len(raw)] = len(raw).to_bytes(8, "little") + raw
        signal.setitimer(signal.ITIMER_REAL, SECONDS_MAX)
        accepted += check(raw)
        runs += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    found.unlink()
    rate = runs / (time.monotonic() - began)
    print(
        f"fuzz: {name}, compiled: {runs:,} inputs, {accepted:,} accepted, {rate:,.0f} a second,"
        f" {len(inputs)} to begin with"
    )


if __name__ == "__main__":
    main()
