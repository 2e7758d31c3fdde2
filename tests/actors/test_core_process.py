"""One core's process, apart from what test_supervisor.py shows of it."""

import pytest

from mantra.actors import spine
from mantra.actors.core_loop import ACTORS_PER_CORE
from mantra.actors.core_process import CoreLine, core_record
from tests.actors.toys import Counter, Summer


def test_a_line_is_labelled_by_its_actors():
    assert CoreLine([Counter("feed", 1), Summer("model")]).label == "feed+model"


def test_a_line_with_too_many_actors_is_refused(run):
    actors = [Counter(f"a{i}", 1) for i in range(ACTORS_PER_CORE + 1)]
    with pytest.raises(ValueError, match="17 actors; 16"):
        core_record(CoreLine(actors), [], 1e9)


def test_the_core_record_points_at_what_the_spines_gave(run):
    actors = [Counter("feed", 1), Summer("model")]
    spine.build(run, actors)
    spines = [spine.Spine(run, actor) for actor in actors]
    for actor, given in zip(actors, spines, strict=True):
        actor.on_start(given)
    core = core_record(CoreLine(actors, idle=2), spines, 2e9)[0]
    assert core["count"] == 2
    assert core["idle"] == 2
    assert core["contexts"][1] == actors[1].context_address
    assert core["rows"][1] == spines[1].row_address
    assert core["check_ticks"] == 400_000_000
