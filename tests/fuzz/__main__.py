"""`make fuzz`: FUZZ_MINUTES of hostile bytes for the scanner, codecs, decimals and frame parser.

In:        seconds in all; targets (targets.py); the kept corpus, and recorded frames where present.
Out:       what misled a target, as a sentence, a file in runs/fuzz and exit code 1.
Must not know: how a target reads.

Two stages a target, of half its time each. First it runs uncompiled under atheris, which sees the
branches taken and so finds inputs that go new ways; they are kept in runs/fuzz/<target> and are
where the next run begins. Then all of them, and quick mutations of them, go through the machine
code, which has no such eyes but is what runs in earnest, and some times as fast. In both a text
lies at the end of readable memory, and an input that takes SECONDS_MAX is a hang.

    python -m tests.fuzz [SECONDS [TARGET …]]     600 s and all targets
    python -m tests.fuzz keep                     add to the kept corpus what reaches new code

Without atheris (there is none for a Python too new for it) the first stage is left out.
"""

import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

TARGETS = (
    *("binance", "bitfinex", "bitstamp", "coinbase", "coinbase-exchange", "kraken", "kraken-v1"),
    *("scanner", "scalars", "decimal", "websocket"),
)
ROOM = Path("runs/fuzz")
STAGES = ("uncompiled", "compiled")
START_S = 900  # to compile, on a machine that is busy


def stage(which: str, name: str, seconds: float) -> bool:
    """Run a stage in a process of its own; whether nothing was found."""
    (ROOM / name).mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1" if which == "uncompiled" else "0"}
    command = [sys.executable, "-m", f"tests.fuzz.{which}", name, str(seconds), str(ROOM)]
    try:
        done = subprocess.run(command, check=False, env=environment, timeout=seconds + START_S)
        code = done.returncode
    except subprocess.TimeoutExpired:
        code = -1
    if code:
        print(f"fuzz: {name}, {which}: ended with code {code}; {last_input(name)}", flush=True)
    return code == 0


def last_input(name: str) -> str:
    """What the last process of a target was reading as it ended, and where it is kept."""
    found = max(ROOM.glob(f"found-{name}-*"), key=lambda path: path.stat().st_mtime, default=None)
    if found is None:
        return "it read nothing yet"
    raw = found.read_bytes()
    if found.name.endswith("compiled"):  # its length stands before it
        raw = raw[8:][: int.from_bytes(raw[:8], "little")]
        found = found.with_name(f"found-{name}-{len(raw)}-{zlib.crc32(raw):x}")
        found.write_bytes(raw)
    return f"{found}: {raw!r}"


def keep() -> None:
    """Add to the kept corpus, of what was found, inputs that together reach all that all reach."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # before the first import of it
    from tests.fuzz.corpus import keep, new_ways, seeds

    for name in TARGETS:
        found = [path.read_bytes() for path in sorted((ROOM / name).glob("*"))]
        keep(name, new_ways(name, seeds(name), found))


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["keep"]:
        keep()
        return 0
    seconds = float(arguments[0]) if arguments else 600.0
    names = arguments[1:] or TARGETS
    stages = STAGES
    try:
        import atheris  # noqa: F401
    except ImportError:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"fuzz: no atheris for Python {version}: only the compiled stage runs, unguided")
        stages = STAGES[1:]
    began = time.monotonic()
    sound = [
        stage(which, name, seconds / len(names) / len(stages)) for name in names for which in stages
    ]
    minutes, bad = (time.monotonic() - began) / 60, sound.count(False)
    print(f"fuzz: {len(names)} targets, {minutes:.1f} minutes, {bad} stages with findings")
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
