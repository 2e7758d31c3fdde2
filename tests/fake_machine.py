"""Trees that look like /proc and /sys, for tests of what reads them."""

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 1048576              files
Max locked memory         unlimited            unlimited            bytes
"""

TUNED = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU 9000\n"
    "flags\t\t: fpu constant_tsc nonstop_tsc\n\nprocessor\t: 1\nmodel name\t: Other\n",
    "proc/loadavg": "0.50 0.40 0.30 1/200 4242\n",
    "proc/meminfo": "MemTotal:        8000 kB\nSwapTotal:          0 kB\n",
    "proc/mounts": "proc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs rw,size=2097152k,mode=1777 0 0\n",
    "proc/self/cgroup": "0::/user.slice/app\n",
    "proc/self/limits": LIMITS,
    "proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-3\n",
    "proc/sys/kernel/numa_balancing": "0\n",
    "proc/sys/kernel/osrelease": "6.1.0-test\n",
    "proc/sys/vm/swappiness": "60\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/devices/system/cpu/cpu0/cpuidle/state0/latency": "0\n",
    "sys/devices/system/cpu/cpu0/cpuidle/state1/disable": "0\n",
    "sys/devices/system/cpu/cpu0/cpuidle/state1/latency": "2\n",
    "sys/devices/system/cpu/isolated": "2-3\n",
    "sys/devices/system/cpu/online": "0-3\n",
    "sys/devices/system/node/online": "0\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    **{
        f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor": "performance\n"
        for core in range(4)
    },
    **{
        f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list": f"{core}\n"
        for core in range(4)
    },
}


def make_tree(root, changes=None):
    """Files of a tuned machine below `root`, but for `changes`: path -> text, or None: missing."""
    for path, text in (TUNED | (changes or {})).items():
        if text is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    return root
