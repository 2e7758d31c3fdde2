"""A bench that measures its own options."""

from mantra.bench.harness import Bench


def run(quick=False, cores=1):
    bench = Bench("fake")
    bench.result("quick", int(quick))
    bench.result("cores", cores)
    return bench
