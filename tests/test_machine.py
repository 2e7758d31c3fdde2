"""Facts are read from trees of our own; what is missing is unknown, not an error."""

import json
import subprocess
import sys

import pytest

from mantra import machine
from tests.fake_machine import make_tree

CPU = "sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("", []),
        ("0", [0]),
        ("0-3", [0, 1, 2, 3]),
        ("0-1,4,6-7", [0, 1, 4, 6, 7]),
        ("(null)", []),
    ],
)
def test_sets_of_cores_are_read_as_the_kernel_writes_them(text, cores):
    assert machine.core_list(text) == cores


def test_facts_of_a_tuned_machine(tmp_path):
    facts = machine.machine_facts(make_tree(tmp_path))
    assert facts["cpu"] == "Some CPU 9000"
    assert (facts["cores"], facts["cores_allowed"], facts["cores_isolated"]) == (4, 4, [2, 3])
    assert facts["kernel"] == "6.1.0-test"
    assert facts["clock_source"] == "tsc"
    assert facts["invariant_tsc"] is True
    assert facts["virtualised"] is False
    assert facts["governors"] == ["performance"]
    assert facts["smt_siblings"] == []
    assert facts["huge_pages"] == "madvise"
    assert facts["memory_bytes"] == 8000 * 1024
    assert facts["load"] == 0.5


def test_facts_of_an_empty_tree_are_unknown_and_printable(tmp_path):
    facts = machine.machine_facts(tmp_path)
    assert facts["cpu"] == facts["kernel"] == facts["clock_source"] == machine.UNKNOWN
    assert (facts["cores"], facts["memory_bytes"], facts["governors"]) == (0, 0, [])
    json.dumps(facts)


def test_a_cpu_without_a_name_is_told_by_its_numbers(tmp_path):
    text = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"
    make_tree(tmp_path, {"proc/cpuinfo": text})
    assert machine.cpu_name(tmp_path) == "implementer 0x41 part 0xd0c"
    assert machine.cpu_flags(tmp_path) == {"fp", "asimd"}


def test_the_arm_counter_is_invariant_without_flags(tmp_path):
    clock = f"{machine.CLOCK}/current_clocksource"
    make_tree(tmp_path, {"proc/cpuinfo": "Features\t: fp\n", clock: "arch_sys_counter\n"})
    assert machine.invariant_tsc(tmp_path)


def test_siblings_are_named_once_a_pair(tmp_path):
    pairs = {
        f"{CPU}/cpu{core}/topology/thread_siblings_list": text
        for core, text in enumerate(("0,2", "1,3", "0,2", "1,3"))
    }
    assert machine.sibling_groups(make_tree(tmp_path, pairs)) == [[0, 2], [1, 3]]


def test_limits_are_numbers_or_unlimited_or_unknown(tmp_path):
    make_tree(tmp_path)
    assert machine.soft_limit("Max open files", tmp_path) == 1024
    assert machine.soft_limit("Max locked memory", tmp_path) is None
    assert machine.soft_limit("Max wishes", tmp_path) == -1


def test_the_tightest_quota_on_the_way_to_the_root_counts(tmp_path):
    groups = {
        "sys/fs/cgroup/user.slice/app/cpu.max": "max 100000\n",
        "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/cpu.max": "400000 100000\n",
    }
    assert machine.cpu_quota(make_tree(tmp_path, groups)) == 1.5


def test_no_quota_is_none(tmp_path):
    assert machine.cpu_quota(make_tree(tmp_path)) is None


@pytest.mark.parametrize(
    ("options", "size"),
    [("rw,size=64m", 64 << 20), ("rw,size=2097152k", 2 << 30), ("rw", 4000 * 1024)],
)
def test_shared_memory_is_as_large_as_its_mount_says(tmp_path, options, size):
    make_tree(tmp_path, {"proc/mounts": f"tmpfs /dev/shm tmpfs {options} 0 0\n"})
    assert machine.shared_memory_bytes(tmp_path) == size


def test_this_machine_has_facts():
    facts = machine.machine_facts()
    assert facts["cores"] >= facts["cores_allowed"] >= 1
    assert facts["versions"]["python"].startswith("3.")
    json.dumps(facts)


def test_facts_do_not_load_the_compiler():
    code = "import sys, mantra.machine as m; m.machine_facts(); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
