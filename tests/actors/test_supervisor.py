"""Real processes: started, watched, restarted, halted, ended cleanly, killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mantra.actors import control, supervisor
from mantra.actors.core_loop import SLEEP, YIELD
from mantra.actors.core_process import CoreLine
from mantra.actors.supervisor import Supervisor
from mantra.icc import queue_segment, shm
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many
from mantra.messages.enums import EVENT_ACTOR_DIED, EVENT_HALT
from mantra.messages.records import SYSTEM_EVENT
from tests.actors.toys import (
    Caller,
    Counter,
    DiesAtFirst,
    FailsToStart,
    Holder,
    LastSummer,
    Summer,
)

pytestmark = [pytest.mark.processes, pytest.mark.needs_jit]

LIMIT_S = 30


def lines(*actors, **settings):
    return [CoreLine([actor], idle=SLEEP, **settings) for actor in actors]


def until(seconds=LIMIT_S):
    return time.monotonic() + seconds


def events_of(run):
    queue = queue_segment.attach(run, "events")  # kept: the handle points into it
    consumer = queue_segment.consumer(queue, "test", from_oldest=True, shown=False)
    events = aligned_zeros(16, SYSTEM_EVENT)
    count = consume_many(address_of(consumer), address_of(events), 16)
    return events["kind"][:count].tolist()


def test_a_run_ends_with_its_data_and_all_of_it_arrives(run, tmp_path):
    total = tmp_path / "sum"
    actors = lines(Counter("counter", 50_000), Summer("summer", total))
    with Supervisor(run, actors, {"l2": 1 << 16}) as watched:  # Room for all: nobody paces.
        assert watched.watch(until=until()) == "end of data"
        assert (watched.rows["pid"] != os.getpid()).all()
    assert watched.problems == []
    assert total.read_text() == str(sum(range(50_000)))
    assert not [s for s in shm.list_segments() if s.run == run]


def test_actors_of_one_line_share_a_process_pinned_to_its_core(run):
    core = min(os.sched_getaffinity(0))
    line = CoreLine([Counter("counter", 10), Summer("summer")], core=core, idle=YIELD)
    with Supervisor(run, [line]) as watched:
        pid = int(watched.rows["pid"][0])
        assert watched.rows["pid"].tolist() == [pid, pid]
        assert watched.rows["core"].tolist() == [core, core]
        assert os.sched_getaffinity(pid) == {core}
        watched.watch(until=until())


def test_python_gets_its_turn(run, tmp_path):
    calls = tmp_path / "calls"
    with Supervisor(run, lines(Caller("caller", calls))) as watched:
        watched.watch(until=until(0.5))
    assert calls.read_text() == "3"


def test_recorders_are_stopped_last(run, tmp_path):
    total = tmp_path / "sum"
    last, counter = LastSummer("last", total), Counter("counter", 1 << 40)
    with Supervisor(run, lines(last, counter), {"l2": 1 << 20}) as watched:
        watched.watch(until=until(0.2))
        watched._stop_cores()
        sent = queue_segment.attach(run, "l2").count
    assert total.read_text() == str(sum(range(sent)))


def test_an_actor_that_cannot_start_is_named_and_nothing_stays(run, capfd):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(RuntimeError, match="did not start: failing"):
        Supervisor(run, lines(Counter("counter", 1), FailsToStart("failing"))).__enter__()
    assert "no such exchange" in capfd.readouterr().err
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not [s for s in shm.list_segments() if s.run == run]


def test_a_death_halts_the_run_and_is_told(run):
    with Supervisor(run, lines(Counter("counter", 1 << 40), Summer("summer"))) as watched:
        os.kill(int(watched.rows["pid"][1]), signal.SIGKILL)
        assert watched.watch(until=until()) == "summer died"
        assert watched.control.record["halted"] == 1
        assert watched.rows["state"][1] == control.DIED
        assert events_of(run) == [EVENT_ACTOR_DIED, EVENT_HALT]
    assert "summer (process" in watched.problems[0]
    assert "died with -9; the run ends" in watched.problems[0]


def test_a_death_is_restarted_where_the_config_says_so(run, tmp_path):
    dying = DiesAtFirst("dying", tmp_path / "died")
    with Supervisor(run, lines(dying, on_death="restart")) as watched:
        first = int(watched.rows["pid"][0])
        watched.watch(
            lambda w: setattr(w, "stop_asked", "seen" if w.rows["restarts"][0] else ""),
            until=until(),
        )
        deadline = until()
        while watched.rows["state"][0] != control.STARTED and time.monotonic() < deadline:
            time.sleep(0.01)
        assert watched.rows["pid"][0] != first
        assert watched.rows["restarts"][0] == 1
        assert events_of(run) == [EVENT_ACTOR_DIED]
    assert "restarted (1 of 3)" in watched.problems[0]


def test_a_killed_producer_may_be_restarted_and_its_queue_goes_on(run, tmp_path):
    total = tmp_path / "sum"
    actors = lines(Counter("counter", 1 << 40), on_death="restart") + lines(Summer("sum", total))
    with Supervisor(run, actors) as watched:
        watched.watch(until=until(0.2))
        os.kill(int(watched.rows["pid"][0]), signal.SIGKILL)
        before = queue_segment.attach(run, "l2").count
        watched.watch(
            lambda w: setattr(
                w,
                "stop_asked",
                "seen" if queue_segment.attach(run, "l2").count > before + 9 else "",
            ),
            until=until(),
        )
        assert watched.stop_asked == "seen"


def test_a_stalled_process_is_taken_for_dead(run, monkeypatch):
    monkeypatch.setattr(supervisor, "STALL_S", 0.5)
    with Supervisor(run, lines(Counter("counter", 1 << 40))) as watched:
        os.kill(int(watched.rows["pid"][0]), signal.SIGSTOP)
        assert watched.watch(until=until()) == "counter died"
    assert any("no heartbeat" in problem for problem in watched.problems)


def test_what_stays_open_is_said(run, monkeypatch):
    monkeypatch.setattr(supervisor, "CANCEL_S", 0.2)
    with Supervisor(run, lines(Holder("holder"))) as watched:
        watched.watch(until=until(0.1))
    assert watched.problems == ["still open after 0 s: {'holder': 1}"]


SCRIPT = """
import sys, time
from mantra.actors.core_loop import SLEEP
from mantra.actors.core_process import CoreLine
from mantra.actors.supervisor import Supervisor
from tests.actors.toys import Counter, Summer
from pathlib import Path
lines = [CoreLine([a], idle=SLEEP) for a in (Counter("c", 1 << 40), Summer("s", Path(sys.argv[2])))]
with Supervisor(sys.argv[1], lines) as watched:
    print(*watched.rows["pid"], flush=True)
    print(watched.watch(until=time.monotonic() + 60), flush=True)
print("ended", watched.problems, flush=True)
"""


@pytest.fixture
def started(run, tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, run, str(tmp_path / "sum")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    children = [int(pid) for pid in process.stdout.readline().split()]
    yield process, children
    for pid in [process.pid, *children]:
        if shm.process_alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_cleanly(run, started, tmp_path, number):
    process, children = started
    process.send_signal(number)
    said = process.communicate(timeout=LIMIT_S)[0]
    assert said == f"{number.name}\nended []\n"
    assert process.returncode == 0
    assert (tmp_path / "sum").exists()
    assert not any(shm.process_alive(pid) for pid in children)
    assert not [s for s in shm.list_segments() if s.run == run]


def test_after_a_killed_supervisor_clean_finds_all_that_is_left(run, started, tmp_path):
    process, children = started
    process.kill()
    process.wait()
    deadline = until()
    while any(shm.process_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "children outlived their supervisor"
        time.sleep(0.01)
    assert (tmp_path / "sum").exists()  # they ended cleanly: on_stop was called
    assert [s for s in shm.list_segments() if s.run == run]
    shm.clean(run)
    assert not [s for s in shm.list_segments() if s.run == run]
