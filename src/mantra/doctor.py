"""What about the machine costs latency, and what to do: the checks of `mantra doctor`.

In:        facts from machine.py, below a root directory.
Out:       `findings`: one Finding a check, of which the verdict is good, costs or unknown.
Must not know: the engine. It runs, and helps, where the engine does not start.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mantra.machine import (
    CPU,
    ROOT,
    UNKNOWN,
    allowed_cores,
    chosen,
    clock_source,
    colon_table,
    core_list,
    cpu_flags,
    cpu_quota,
    governors,
    invariant_tsc,
    load,
    online_cores,
    read,
    shared_memory_bytes,
    sibling_groups,
    soft_limit,
)

GOOD_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")

GOOD = "good"
COSTS = "costs"

CORES_WANTED = 4  # market data, models, Overseer with accounts, all the rest
FILES_WANTED = 1024  # descriptors: segments, sockets and archive files of a full run
LOCKED_WANTED = 1 << 30  # bytes of queues, vectors and books a run may want to keep in memory
SHM_WANTED = 1 << 30  # bytes of segments: the queues of a run with room to spare
DEEP_IDLE_US = 10  # leaving an idle state slower than this is longer than the whole hot path


class Finding(NamedTuple):
    """One property of the machine: `cost` and `advice` are for when the verdict is COSTS."""

    what: str
    state: str
    verdict: str  # GOOD, COSTS, UNKNOWN
    cost: str
    advice: str


def findings(root: Path = ROOT) -> list[Finding]:
    """Every check of CHECKS against this machine, in the order of what usually costs most."""
    return [check(root) for check in CHECKS]


def judged(what: str, state: str, good: bool, cost: str, advice: str) -> Finding:
    """A Finding; an empty state means that the machine does not show it."""
    verdict = UNKNOWN if not state else GOOD if good else COSTS
    return Finding(what, state or "not shown by this machine", verdict, cost, advice)


def check_clock(root: Path) -> Finding:
    source = clock_source(root)
    return judged(
        "clock source",
        source if source != UNKNOWN else "",
        source in GOOD_CLOCKS,
        "the kernel distrusts the time-stamp counter, and reading its own clock is a system call",
        "see `journalctl -k -g tsc` for why; boot with tsc=reliable if the counter is invariant",
    )


def check_counter(root: Path) -> Finding:
    flags = cpu_flags(root)
    steady = invariant_tsc(root)
    return judged(
        "time-stamp counter",
        ("invariant" if steady else "its rate may change") if flags else "",
        steady,
        "stamps fall back to the operating system's clock",
        "use a CPU (or a virtual machine type) with constant_tsc and nonstop_tsc",
    )


def check_cores(root: Path) -> Finding:
    online, allowed = len(online_cores(root)), len(allowed_cores(root))
    return judged(
        "cores",
        f"{allowed} of {online} usable" if online else "",
        allowed >= CORES_WANTED,
        "lines of the core map share cores: a message waits for its actor's turn",
        f"{CORES_WANTED} cores or more: market data, models, Overseer with accounts, the rest",
    )


def check_isolation(root: Path) -> Finding:
    isolated = read(root, f"{CPU}/isolated")
    return judged(
        "isolated cores",
        isolated or ("none" if online_cores(root) else ""),
        bool(isolated),
        "the scheduler takes the core away for 10 µs to some ms at a time: it is the tail",
        "boot with isolcpus=, nohz_full= and rcu_nocbs= for the cores in the core map",
    )


def check_governor(root: Path) -> Finding:
    found = governors(root)
    return judged(
        "frequency governor",
        ", ".join(found),
        found == ["performance"],
        "a core that was idle runs slowly for the first ms after a message",
        "cpupower frequency-set -g performance",
    )


def check_idle_states(root: Path) -> Finding:
    states = (root / f"{CPU}/cpu0/cpuidle").glob("state*")
    deepest = 0
    for state in states:
        if read(root, f"{state.relative_to(root)}/disable") != "1":
            deepest = max(deepest, int(read(root, f"{state.relative_to(root)}/latency") or 0))
    shown = (root / f"{CPU}/cpu0/cpuidle").is_dir()
    return judged(
        "idle states",
        f"waking takes up to {deepest} µs" if shown else "",
        deepest <= DEEP_IDLE_US,
        "a line of the core map that sleeps or yields wakes that much later",
        "let hot lines spin, or hold /dev/cpu_dma_latency at 0 (cpupower idle-set -D 1)",
    )


def check_siblings(root: Path) -> Finding:
    groups = sibling_groups(root)
    pairs = "; ".join("+".join(map(str, group)) for group in groups)
    return judged(
        "hyper-threads",
        (f"siblings in use: {pairs}" if groups else "off") if online_cores(root) else "",
        not groups,
        "two lines on one physical core halve each other's speed",
        "map hot lines to one thread of each pair, or: echo off > "
        "/sys/devices/system/cpu/smt/control",
    )


def check_virtual(root: Path) -> Finding:
    flags = cpu_flags(root)
    return judged(
        "virtual machine",
        ("yes" if "hypervisor" in flags else "no") if flags else "",
        "hypervisor" not in flags,
        "the host takes cores away unseen; steal time and exits are part of the tail",
        "bare metal, or a type with dedicated cores",
    )


def check_quota(root: Path) -> Finding:
    quota = cpu_quota(root)
    none = "none" if read(root, "proc/self/cgroup") else ""
    return judged(
        "CPU quota",
        none if quota is None else f"{quota:.2g} cores",
        quota is None,
        "when it is used up every line stops until the next period, up to 100 ms",
        "run the container without a CPU limit, pinned to its own cores (--cpuset-cpus)",
    )


def check_load(root: Path) -> Finding:
    now, cores = load(root), len(online_cores(root))
    known = isinstance(now, float) and cores > 0
    return judged(
        "load",
        f"{now} on {cores} cores" if known else "",
        known and float(now) < cores / 2,
        "other programs run where the engine wants to",
        "stop them, or move them off the cores in the core map",
    )


def check_nodes(root: Path) -> Finding:
    nodes = core_list(read(root, "sys/devices/system/node/online"))
    balancing = read(root, "proc/sys/kernel/numa_balancing") == "1"
    state = f"{len(nodes)}, pages moved between them: {'yes' if balancing else 'no'}"
    return judged(
        "memory nodes",
        state if nodes else "",
        len(nodes) == 1,
        "a cache line from the other node takes about twice as long",
        "keep the core map within one node; sysctl kernel.numa_balancing=0",
    )


def check_huge_pages(root: Path) -> Finding:
    word = chosen(read(root, "sys/kernel/mm/transparent_hugepage/enabled"))
    return judged(
        "transparent huge pages",
        word if word != UNKNOWN else "",
        word != "always",
        "the kernel stops a process to put pages together whenever it sees fit",
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    )


def check_swap(root: Path) -> Finding:
    total = colon_table(read(root, "proc/meminfo")).get("SwapTotal", "").split()
    swappiness = read(root, "proc/sys/vm/swappiness")
    none = bool(total) and int(total[0]) == 0
    return judged(
        "swap",
        ("no swap" if none else f"swappiness {swappiness or UNKNOWN}") if total else "",
        none or swappiness in ("0", "1"),
        "a page of a queue that went to disk takes ms to come back",
        "sysctl vm.swappiness=1, or swapoff -a",
    )


def check_locked(root: Path) -> Finding:
    return limited(
        "locked memory",
        soft_limit("Max locked memory", root),
        LOCKED_WANTED,
        "queues and books cannot be held in memory",
        "ulimit -l unlimited (memlock in /etc/security/limits.conf)",
    )


def check_files(root: Path) -> Finding:
    return limited(
        "open files",
        soft_limit("Max open files", root),
        FILES_WANTED,
        "segments, sockets and archive files of a big run do not all open",
        f"ulimit -n {FILES_WANTED} or more (nofile in /etc/security/limits.conf)",
    )


def check_shared_memory(root: Path) -> Finding:
    size = shared_memory_bytes(root)
    return limited(
        "/dev/shm",
        size or -1,
        SHM_WANTED,
        "a run's segments do not fit, and it does not start",
        "mount -o remount,size=2g /dev/shm (in a container: --shm-size=2g)",
    )


def limited(what: str, limit: int | None, wanted: int, cost: str, advice: str) -> Finding:
    """Judge a limit: None is unlimited, -1 unknown."""
    if limit is None:
        return judged(what, "unlimited", True, cost, advice)
    return judged(what, f"{limit:,}" if limit >= 0 else "", limit >= wanted, cost, advice)


CHECKS: tuple[Callable[[Path], Finding], ...] = (
    check_clock,
    check_counter,
    check_cores,
    check_isolation,
    check_governor,
    check_idle_states,
    check_siblings,
    check_virtual,
    check_quota,
    check_load,
    check_nodes,
    check_huge_pages,
    check_swap,
    check_locked,
    check_files,
    check_shared_memory,
)
