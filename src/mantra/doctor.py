"""What about the machine costs latency, and what to do: the checks of `mantra doctor`.

In:        facts from machine.py, below a root directory; doctor.toml: what is said of each check.
Out:       `findings`: one Finding a check, of which the verdict is good, costs or unknown.
Must not know: the engine. It runs, and helps, where the engine does not start.

A check is a function `(root) -> (state, whether that is good)`; an empty state means that the
machine does not show it.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

from mantra import machine
from mantra.machine import CPU, ROOT, UNKNOWN, read, shared_memory_bytes, soft_limit

GOOD_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")

GOOD, COSTS = "good", "costs"
State = tuple[str, bool]

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
    """Every check against this machine, in the order of doctor.toml."""
    found = []
    for name, said in tomllib.loads(Path(__file__).with_suffix(".toml").read_text()).items():
        state, good = CHECKS[name](root)
        verdict = UNKNOWN if not state else GOOD if good else COSTS
        state = state or "not shown by this machine"
        found.append(Finding(said["what"], state, verdict, said["cost"], said["advice"]))
    return found


def check_clock(root: Path) -> State:
    source = machine.clock_source(root).replace(UNKNOWN, "")
    return source, source in GOOD_CLOCKS


def check_counter(root: Path) -> State:
    steady = machine.invariant_tsc(root)
    shown = "invariant" if steady else "its rate may change"
    return shown if machine.cpu_flags(root) else "", steady


def check_cores(root: Path) -> State:
    online, allowed = len(machine.online_cores(root)), len(machine.allowed_cores(root))
    return f"{allowed} of {online} usable" if online else "", allowed >= CORES_WANTED


def check_isolation(root: Path) -> State:
    isolated = read(root, f"{CPU}/isolated")
    return isolated or ("none" if machine.online_cores(root) else ""), bool(isolated)


def check_governor(root: Path) -> State:
    found = machine.governors(root)
    return ", ".join(found), found == ["performance"]


def check_idle_states(root: Path) -> State:
    folder = f"{CPU}/cpu0/cpuidle"
    states = [f"{folder}/{path.name}" for path in (root / folder).glob("state*")]
    used = [state for state in states if read(root, f"{state}/disable") != "1"]
    deepest = max((int(read(root, f"{state}/latency") or 0) for state in used), default=0)
    shown = (root / folder).is_dir()
    return f"waking takes up to {deepest} µs" if shown else "", deepest <= DEEP_IDLE_US


def check_siblings(root: Path) -> State:
    groups = machine.sibling_groups(root)
    pairs = "; ".join("+".join(map(str, group)) for group in groups)
    state = f"siblings in use: {pairs}" if groups else "off"
    return state if machine.online_cores(root) else "", not groups


def check_virtual(root: Path) -> State:
    flags = machine.cpu_flags(root)
    virtual = "hypervisor" in flags
    return ("yes" if virtual else "no") if flags else "", not virtual


def check_quota(root: Path) -> State:
    quota = machine.cpu_quota(root)
    none = "none" if read(root, "proc/self/cgroup") else ""
    return none if quota is None else f"{quota:.2g} cores", quota is None


def check_load(root: Path) -> State:
    now, cores = machine.load(root), len(machine.online_cores(root))
    if now == UNKNOWN or not cores:
        return "", False
    return f"{now} on {cores} cores", float(now) < cores / 2


def check_nodes(root: Path) -> State:
    nodes = machine.core_list(read(root, "sys/devices/system/node/online"))
    moved = "yes" if read(root, "proc/sys/kernel/numa_balancing") == "1" else "no"
    state = f"{len(nodes)}, pages moved between them: {moved}"
    return state if nodes else "", len(nodes) == 1


def check_huge_pages(root: Path) -> State:
    word = machine.chosen(read(root, "sys/kernel/mm/transparent_hugepage/enabled"))
    return word.replace(UNKNOWN, ""), word != "always"


def check_swap(root: Path) -> State:
    total = machine.colon_table(read(root, "proc/meminfo")).get("SwapTotal", "").split()
    if not total or int(total[0]) == 0:
        return "no swap" if total else "", True
    swappiness = read(root, "proc/sys/vm/swappiness")
    return f"swappiness {swappiness or UNKNOWN}", swappiness in ("0", "1")


def limited(limit: int | None, wanted: int) -> State:
    """Judge a limit: None is unlimited, -1 unknown."""
    if limit is None:
        return "unlimited", True
    return f"{limit:,}" if limit >= 0 else "", limit >= wanted


CHECKS = {n.removeprefix("check_"): f for n, f in globals().items() if n.startswith("check_")}
CHECKS["locked"] = lambda root: limited(soft_limit("Max locked memory", root), LOCKED_WANTED)
CHECKS["files"] = lambda root: limited(soft_limit("Max open files", root), FILES_WANTED)
CHECKS["shared_memory"] = lambda root: limited(shared_memory_bytes(root) or -1, SHM_WANTED)
