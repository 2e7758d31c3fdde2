"""Segments: who may read them, what is refused in which words, what is found and cleaned."""

import errno
import os
import stat
import subprocess

import pytest

from mantra.icc import shm
from mantra.icc.memory import records_at

RUN = "unit"
LAYOUT = 7


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MANTRA_SHM", str(tmp_path))


@pytest.fixture
def dead_process():
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def made(name: str = "part", content: int = 128, ready: bool = True) -> shm.Segment:
    segment = shm.create(RUN, name, content, LAYOUT)
    if ready:
        segment.publish()
    return segment


def test_a_segment_is_a_zeroed_file_of_its_owner_alone():
    segment = made()
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    assert segment.path.name == "mantra.unit.part"
    assert segment.path.stat().st_size == segment.size == 64 + 128
    assert not segment.array[64:].any()
    assert segment.address % 4096 == 0


def test_what_one_writes_the_other_reads():
    one, other = made(), shm.attach(RUN, "part", LAYOUT)
    records_at(one.address + 64, 1, shm.SEGMENT_HEADER)["size"] = 5
    assert records_at(other.address + 64, 1, shm.SEGMENT_HEADER)["size"] == 5


def test_a_read_only_mapping_is_not_writable():
    made()
    segment = shm.attach(RUN, "part", LAYOUT, writable=False)
    assert not segment.array.flags.writeable


@pytest.mark.parametrize("bad", ["", "a/b", "a.b", "x" * 121])
def test_bad_names_are_refused(bad):
    for run, name in ((bad, "part"), (RUN, bad)):
        with pytest.raises(shm.SegmentError, match="expected 1 to 120 characters"):
            shm.segment_path(run, name)


def test_the_longest_names_make_a_file_name_that_is_short_enough(tmp_path):
    path = shm.segment_path("r" * shm.NAME_LIMIT, "n" * shm.NAME_LIMIT)
    path.touch()
    assert path.exists()


def test_a_name_that_is_taken_is_refused_and_left_alone():
    made()
    with pytest.raises(shm.SegmentError, match=r"is there already.*mantra shm clean"):
        made()
    assert shm.attach(RUN, "part", LAYOUT).size == 192


def test_a_missing_segment_is_said_to_be_missing():
    with pytest.raises(shm.SegmentError, match="is not there: is run 'unit' up"):
        shm.attach(RUN, "part", LAYOUT)


DIFFERENCES = [
    ("magic", 5, "magic is 0x5, expected 0x"),
    ("size", 1000, "header says 1,000 bytes, the file has 192"),
    ("layout", 8, "layout is 0x00000008, this program has 0x00000007"),
    ("ready", 0, "is not ready: its creator has not finished it"),
]


@pytest.mark.parametrize(("field", "value", "sentence"), DIFFERENCES)
def test_a_segment_that_differs_is_refused_with_what_differs(field, value, sentence):
    made().header[field] = value
    with pytest.raises(shm.SegmentError, match=sentence):
        shm.attach(RUN, "part", LAYOUT)


def test_an_observer_of_any_layout_is_let_in():
    made().header["layout"] = 99
    assert shm.attach(RUN, "part", None).header["layout"] == 99


def test_a_file_too_small_for_a_header_is_not_ready():
    shm.segment_path(RUN, "part").write_bytes(b"x" * 10)
    with pytest.raises(shm.SegmentError, match="is not ready: 10 bytes, too small for a header"):
        shm.attach(RUN, "part", LAYOUT)


def test_a_full_directory_is_an_error_with_a_way_out_and_leaves_no_file(monkeypatch, tmp_path):
    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(shm.SegmentError, match=r"192 bytes not to be had \(No space left.*smaller"):
        made()
    assert list(tmp_path.iterdir()) == []


def test_list_tells_runs_names_sizes_and_who_lives(dead_process):
    made("alive")
    made("dead").header["creator"] = dead_process
    found = {s.name: s for s in shm.list_segments()}
    assert {(s.run, s.size, s.alive) for s in found.values()} == {
        (RUN, 192, True),
        (RUN, 192, False),
    }
    assert found["alive"].creator == os.getpid()
    assert found["dead"].creator == dead_process


def test_clean_removes_what_the_dead_left_and_nothing_else(dead_process):
    made("alive")
    made("dead").header["creator"] = dead_process
    assert shm.clean("another run") == []
    assert [s.name for s in shm.clean(RUN)] == ["dead"]
    assert [s.name for s in shm.list_segments()] == ["alive"]


def test_a_segment_being_made_is_not_cleaned_but_an_old_unfinished_one_is():
    path = shm.segment_path(RUN, "half")
    path.write_bytes(b"")
    assert shm.clean() == []
    os.utime(path, (0, 0))
    assert [s.name for s in shm.clean()] == ["half"]


def test_a_process_is_known_by_its_start_as_well_as_its_id():
    here = shm.this_process()
    assert here & shm.PID_MASK == os.getpid()
    assert shm.process_alive(here)
    assert shm.process_alive(os.getpid())
    assert not shm.process_alive(here + (1 << shm.PID_BITS)), "another start: another process"
    assert not shm.process_alive(0)


def test_a_zombie_does_not_live():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not shm.process_alive(child.pid)
    child.wait()


def test_layouts_of_other_fields_offsets_and_sizes_differ():
    layouts = [
        shm.SEGMENT_HEADER,
        shm.np.dtype([("a", "i8"), ("b", "i4")]),
        shm.np.dtype([("a", "i8"), ("b", "i4")], align=True),
        shm.np.dtype([("b", "i8"), ("a", "i4")]),
    ]
    assert len({shm.layout_hash(one) for one in layouts}) == len(layouts)
