"""Facts about the machine under the engine, from /proc and /sys.

In:        the files below a root directory (tests hand in trees of their own).
Out:       one function a fact; `machine_facts`, the dict that every bench prints.
Must not know: what runs on the machine, or what it should be like (doctor.py judges).

What a kernel, a container or a virtual machine does not show is `unknown`, empty or 0, never an
error.
"""

import importlib.metadata
import platform
import re
from pathlib import Path
from typing import Any

from mantra import __version__

ROOT = Path("/")
UNKNOWN = "unknown"

CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0"
VERSIONED = ("numba", "llvmlite", "numpy", "pcodec")


def read(root: Path, path: str) -> str:
    """A file's text without the blanks around it; "" where it is missing or not ours to read."""
    try:
        return (root / path).read_text(errors="replace").strip()
    except OSError:
        return ""


def core_list(text: str) -> list[int]:
    """`0-2,5` -> [0, 1, 2, 5], as the kernel writes sets of cores; text it cannot be -> []."""
    cores: list[int] = []
    for part in text.split(","):
        if match := re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip()):
            cores.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return cores


def chosen(text: str) -> str:
    """The bracketed word of `always [madvise] never`."""
    match = re.search(r"\[(\S+)\]", text)
    return match[1] if match else UNKNOWN


def colon_table(text: str) -> dict[str, str]:
    """`key : value` lines; the first of a key wins, so of /proc/cpuinfo the first core counts."""
    table: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            table.setdefault(key.strip(), value.strip())
    return table


def cpu_name(root: Path = ROOT) -> str:
    table = colon_table(read(root, "proc/cpuinfo"))
    if "model name" in table:
        return table["model name"]
    if "CPU part" in table:  # aarch64 gives numbers, not a name
        return f"implementer {table.get('CPU implementer', '?')} part {table['CPU part']}"
    return UNKNOWN


def cpu_flags(root: Path = ROOT) -> set[str]:
    table = colon_table(read(root, "proc/cpuinfo"))
    return set((table.get("flags") or table.get("Features") or "").split())


def online_cores(root: Path = ROOT) -> list[int]:
    return core_list(read(root, f"{CPU}/online"))


def allowed_cores(root: Path = ROOT) -> list[int]:
    """The cores this process may run on: an affinity mask or a container may withhold some."""
    return core_list(colon_table(read(root, "proc/self/status")).get("Cpus_allowed_list", ""))


def sibling_groups(root: Path = ROOT) -> list[list[int]]:
    """Groups of logical cores that share one physical core."""
    place = f"{CPU}/cpu{{}}/topology/thread_siblings_list"
    groups = {tuple(core_list(read(root, place.format(core)))) for core in online_cores(root)}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def governors(root: Path = ROOT) -> list[str]:
    """The distinct frequency governors of the cores; none where the kernel does not scale them."""
    found = {read(root, f"{CPU}/cpu{core}/cpufreq/scaling_governor") for core in online_cores(root)}
    return sorted(found - {""})


def clock_source(root: Path = ROOT) -> str:
    return read(root, f"{CLOCK}/current_clocksource") or UNKNOWN


def invariant_tsc(root: Path = ROOT) -> bool:
    """The time-stamp counter ticks at one rate, whatever the core sleeps (aarch64: always)."""
    flags = cpu_flags(root)
    return {"constant_tsc", "nonstop_tsc"} <= flags or clock_source(root) == "arch_sys_counter"


def load(root: Path = ROOT) -> float | str:
    """Runnable processes, averaged over the last minute."""
    words = read(root, "proc/loadavg").split()
    return float(words[0]) if words else UNKNOWN


def memory_bytes(root: Path = ROOT) -> int:
    """Main memory, 0 if unknown."""
    words = colon_table(read(root, "proc/meminfo")).get("MemTotal", "").split()
    return int(words[0]) * 1024 if words else 0


def soft_limit(name: str, root: Path = ROOT) -> int | None:
    """A soft limit in /proc/self/limits by its name there; None: unlimited, -1: unknown."""
    for line in read(root, "proc/self/limits").splitlines():
        if line.startswith(name):
            soft = line[len(name) :].split()[0]
            return None if soft == "unlimited" else int(soft)
    return -1


def shared_memory_bytes(root: Path = ROOT) -> int:
    """Size of /dev/shm by its mount options, half of memory where they are silent; 0: no mount."""
    for line in read(root, "proc/mounts").splitlines():
        _, place, _, options = line.split()[:4]
        if place == "/dev/shm":
            if match := re.search(r"\bsize=(\d+)([kmg]?)", options):
                return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2]]
            return memory_bytes(root) // 2
    return 0


def cpu_quota(root: Path = ROOT) -> float | None:
    """Cores' worth of time a control group grants this process; None where there is no limit."""
    match = re.search(r"^0::(/.*)$", read(root, "proc/self/cgroup"), re.MULTILINE)
    group = Path("sys/fs/cgroup") / (match[1].lstrip("/") if match else "")
    quotas = []
    for place in (group, *group.parents):
        words = read(root, f"{place}/cpu.max").split()
        if len(words) == 2 and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def versions() -> dict[str, str]:
    ours = {"python": platform.python_version(), "mantra": __version__}
    return ours | {name: importlib.metadata.version(name) for name in VERSIONED}


def machine_facts(root: Path = ROOT) -> dict[str, Any]:
    """What a reader must know of the machine to judge a number measured on it."""
    return {
        "cpu": cpu_name(root),
        "cores": len(online_cores(root)),
        "cores_allowed": len(allowed_cores(root)),
        "cores_isolated": core_list(read(root, f"{CPU}/isolated")),
        "smt_siblings": sibling_groups(root),
        "kernel": read(root, "proc/sys/kernel/osrelease") or UNKNOWN,
        "architecture": platform.machine(),
        "virtualised": "hypervisor" in cpu_flags(root),
        "clock_source": clock_source(root),
        "invariant_tsc": invariant_tsc(root),
        "governors": governors(root),
        "huge_pages": chosen(read(root, "sys/kernel/mm/transparent_hugepage/enabled")),
        "memory_bytes": memory_bytes(root),
        "load": load(root),
        "versions": versions(),
    }
