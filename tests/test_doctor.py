"""Each check finds what it is for in a tree made so, and nothing in a tuned one."""

import pytest

from mantra.doctor import CHECKS, COSTS, GOOD, UNKNOWN, findings
from tests.fake_machine import LIMITS, TUNED, make_tree

CPU = "sys/devices/system/cpu"

# what, changed files, a word of the state to expect
AILMENTS = [
    ("clock source", {"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet"}),
    ("time-stamp counter", {"proc/cpuinfo": "flags\t: fpu constant_tsc\n"}),
    ("cores", {"proc/self/status": "Cpus_allowed_list:\t0-1\n"}),
    ("isolated cores", {f"{CPU}/isolated": "\n"}),
    ("frequency governor", {f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave\n"}),
    ("idle states", {f"{CPU}/cpu0/cpuidle/state1/latency": "133\n"}),
    ("hyper-threads", {f"{CPU}/cpu0/topology/thread_siblings_list": "0-1\n"}),
    ("virtual machine", {"proc/cpuinfo": "flags\t: constant_tsc nonstop_tsc hypervisor\n"}),
    ("CPU quota", {"sys/fs/cgroup/user.slice/cpu.max": "50000 100000\n"}),
    ("load", {"proc/loadavg": "3.50 2.00 1.00 4/200 4242\n"}),
    ("memory nodes", {"sys/devices/system/node/online": "0-1\n"}),
    ("transparent huge pages", {"sys/kernel/mm/transparent_hugepage/enabled": "[always] never"}),
    ("swap", {"proc/meminfo": "MemTotal: 8000 kB\nSwapTotal: 4000 kB\n"}),
    ("locked memory", {"proc/self/limits": LIMITS.replace("unlimited", "8388608  ")}),
    ("open files", {"proc/self/limits": LIMITS.replace("1024 ", "256  ")}),
    ("/dev/shm", {"proc/mounts": "shm /dev/shm tmpfs rw,size=65536k 0 0\n"}),
]


def verdicts(root):
    return {finding.what: finding.verdict for finding in findings(root)}


def test_every_check_has_an_ailment_here(tmp_path):
    assert [what for what, _ in AILMENTS] == [finding.what for finding in findings(tmp_path)]
    assert len(AILMENTS) == len(CHECKS)


def test_a_tuned_machine_has_nothing_that_costs(tmp_path):
    assert set(verdicts(make_tree(tmp_path)).values()) == {GOOD}


def test_a_machine_that_shows_nothing_is_unknown_throughout(tmp_path):
    assert set(verdicts(tmp_path).values()) == {UNKNOWN}


@pytest.mark.parametrize(("what", "changes"), AILMENTS)
def test_an_ailment_is_found_and_nothing_else(tmp_path, what, changes):
    found = verdicts(make_tree(tmp_path, changes))
    assert [name for name, verdict in found.items() if verdict == COSTS] == [what]


@pytest.mark.parametrize("path", TUNED)
def test_any_one_file_may_be_missing(tmp_path, path):
    assert len(findings(make_tree(tmp_path, {path: None}))) == len(CHECKS)


def test_a_disabled_idle_state_does_not_count(tmp_path):
    deep = {
        f"{CPU}/cpu0/cpuidle/state1/{name}": text
        for name, text in (("latency", "133\n"), ("disable", "1\n"))
    }
    assert verdicts(make_tree(tmp_path, deep))["idle states"] == GOOD


def test_swap_that_is_hardly_used_is_good(tmp_path):
    changes = {"proc/meminfo": "SwapTotal: 4000 kB\n", "proc/sys/vm/swappiness": "1\n"}
    assert verdicts(make_tree(tmp_path, changes))["swap"] == GOOD


def test_every_finding_says_what_it_costs_and_what_to_do(tmp_path):
    for finding in findings(tmp_path):
        assert finding.cost
        assert finding.advice
        assert finding.state
