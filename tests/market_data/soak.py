"""Chaos for as long as one likes: `python -m tests.market_data.soak --minutes 60`; `make soak`.

Five simulated venues, ten connections each, every kind of fault. Now and then the markets stand
still, and every book must become the venue's: a gap that nobody noticed would stay. What was done
and what was noticed is printed; the exit code is 1 if a book did not.
"""

import argparse
import json
import sys
import time
from collections import Counter

import pytest

from tests.market_data.following import Following, all_faults, be_impatient

CHECK_EVERY_S = 20.0
SEEN = ("drop", "reorder", "corrupt", "cut")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--streams", type=int, default=10, help="a venue")
    parser.add_argument("--rate", type=float, default=200.0, help="changes a second, of a venue")
    parser.add_argument("--odds", type=float, default=1.0, help="times the usual ones")
    parser.add_argument("--stay", action="store_true", help="end at the first wrong book")
    asked = parser.parse_args()
    be_impatient(pytest.MonkeyPatch())
    faults = all_faults(0.001 * asked.odds, 0.0005 * asked.odds, 0.2)
    checks, failed = 0, []
    with Following(asked.streams, 2, asked.rate, faults) as following:
        end = time.monotonic() + 60 * asked.minutes
        while time.monotonic() < end:
            following.follow(CHECK_EVERY_S)
            checks += 1
            try:
                following.check()
            except AssertionError as error:
                failed.append(str(error))
                print(f"check {checks}: {error}", file=sys.stderr, flush=True)
                if asked.stay:
                    break
            following.go()
        told = following.report()
    total = sum((Counter(of["done"]) for of in told.values()), Counter())
    print(json.dumps(told, indent=1))
    print(json.dumps({"checks": checks, "failed": len(failed), "faults": total}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
