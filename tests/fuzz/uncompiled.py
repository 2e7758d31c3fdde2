"""First stage of `make fuzz`: one target uncompiled, under atheris, which looks at its branches.

python -m tests.fuzz.uncompiled TARGET SECONDS FOLDER      with NUMBA_DISABLE_JIT=1
"""

import hashlib
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(
    include=["mantra.exchanges", "mantra.messages.decimals", "mantra.transport.frames"]
):
    from tests.fuzz.corpus import seeds
    from tests.fuzz.targets import SEED_BYTES, TARGETS, recorded_seeds

from tests.fuzz.mutate import mutate

SECONDS_MAX = 20


def main() -> None:
    name, seconds, room = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    folder = room / name
    check, others = TARGETS[name], seeds(name)
    for raw in [*others, *recorded_seeds(name)]:
        (folder / hashlib.sha1(raw).hexdigest()).write_bytes(raw)

    def edit(raw: bytes, size_max: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < (0.7 if name == "websocket" else 0.15):
            return atheris.Mutate(raw, size_max)
        return mutate(bytes(raw), random, others)[:size_max]

    options = [
        f"-max_total_time={seconds:.0f}",
        f"-timeout={SECONDS_MAX}",
        f"-max_len={SEED_BYTES}",
    ]
    options += [f"-artifact_prefix={room}/found-{name}-", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(folder)], check, custom_mutator=edit)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
