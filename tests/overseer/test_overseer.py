"""The whole Overseer: models and venues side by side, random venues, senseless settings."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.messages.enums import (
    ACCEPTED,
    ASK,
    CANCELED,
    EVENT_HALT,
    EVENT_RESUME,
    GTC,
    IOC,
    KINDS,
    POST_ONLY,
)
from mantra.overseer import answers, ledger, limits, orders, sweep, watch
from mantra.overseer import overseer as room
from mantra.overseer.overseer import ModelLimits, OrderLimits, Overseer, VenueTerms
from tests.overseer.naive_venue import NaiveVenue
from tests.overseer.overseer_desk import PLENTY, Desk, text, two_venues

SMALL = dict.fromkeys(("l2", "trades", "events", "requests"), 1024)
FOUR = (("a", 2), ("b", 2), ("c", 2), ("d", 2))


# ---------------------------------------------------------------- random models, random venues


class Trial:
    """Four models on four instruments of two venues, all of them random; watched by two twins."""

    def __init__(self, desk, chance):
        self.desk, self.chance = desk, chance
        self.venues = [
            NaiveVenue(desk, index, chance, {0: 40_000, 1: 40_000, 2: 60_000}) for index in (0, 1)
        ]
        self.unanswered = {}

    def want_something(self):
        model = self.chance.choice("abcd")
        self.desk.want(
            model,
            self.chance.randint(0, 1),
            price=self.chance.randint(95, 105),
            volume=self.chance.choice((0, 5, 10, 15)),
            instrument="abcd".index(model) ^ self.chance.choice((0, 0, 2)),
            side=self.chance.randint(0, 1),
            tif=self.chance.choice((GTC, GTC, POST_ONLY, IOC)),
            revision=self.chance.randint(0, 1),
        )

    def step(self):
        for message in self.desk.step():
            request = {name: int(message[name]) for name in message.dtype.names}
            order_id = request["order_id"]
            assert order_id not in self.unanswered, f"{KINDS[request['kind']]} while one is asked"
            self.unanswered[order_id] = request["kind"]
            self.venues[request["instrument"] // 2].inbox.append(request)

    def deliver(self, some=True):
        for venue in self.venues:
            for message in venue.deliver(some):
                self.unanswered.pop(int(message["order_id"]), None)

    def finish(self):
        """No more orders: the venues answer all there is, time passes for refused cancels."""
        self.desk.cancel_all()
        for _ in range(60):
            self.step()
            for venue in self.venues:
                while venue.inbox:
                    venue.handle()
            self.deliver(some=False)
            self.desk.pass_time(int(self.desk.overseer.context[0]["retry_ticks"]) + 1)
            self.desk.look_at_clock()


@settings(max_examples=60 if JIT else 12, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_random_models_and_venues_never_break_the_rules(seed, amends):
    chance = random.Random(seed)
    terms = {0: VenueTerms(amends=amends)}
    with Desk(models=FOUR, rich=False, venues=terms, capacities=SMALL, retry_s=0) as desk:
        trial = Trial(desk, chance)
        for _ in range(150):
            trial.want_something()
            trial.step()
            for venue in trial.venues:
                venue.live_a_little()
            trial.deliver()
        trial.finish()
        assert desk.pending == 0
        assert not any(venue.open for venue in trial.venues)
        assert all(line["reserved"] == 0 for line in desk.overseer.arrays["balances"])
        assert all(desk.counters(name)["illegal"] == 0 for name in "abcd")
        assert desk.counters()["unknown"] == 0
        assert sum(int(desk.counters(name)["requests"][0]) for name in "abcd") > 10
        for model in range(4):
            for instrument in range(4):
                held = desk.overseer.arrays["positions"][model * 4 + instrument]
                true = trial.venues[instrument // 2].filled.get((model, instrument), 0)
                assert held["position"] == true
                assert held["working_bid"] == held["working_ask"] == 0


# ---------------------------------------------------------------- isolation


def test_models_do_not_see_or_move_each_others_orders():
    """What is sent for three models is the same whether a fourth makes trouble or not."""

    def requests_of_others(trouble):
        strict = {"d": ModelLimits({0: OrderLimits(order_volume_max=1)}, loss_max={2: 1})}
        with Desk(models=FOUR, limits=strict) as desk:
            found = []
            for turn in range(12):
                for index, name in enumerate("abc"):
                    desk.want(name, turn % 2, price=100 + turn // 3, volume=10, instrument=index)
                if trouble:
                    for row in (0, 1):
                        desk.want("d", row, price=90 + turn, volume=1 + row, instrument=turn % 4)
                sent = desk.step()
                found += [(int(r["model"]), int(r["row"]), text(r)) for r in sent if r["model"] < 3]
                for request in sent:
                    desk.update(
                        request, CANCELED if KINDS[request["kind"]] == "cancel" else ACCEPTED
                    )
                    if request["model"] == 3 and KINDS[request["kind"]] == "new":
                        desk.fill(request, 1, int(request["volume"]) - 1, fee=9)
            if trouble:
                desk.step()
                assert desk.counters("d")["halted"] == 1
                assert desk.refused("d")["model-halted"] > 0
            assert all(desk.refused(name) == {} for name in "abc")
            return found

    alone = requests_of_others(trouble=False)
    assert len(alone) > 20
    assert requests_of_others(trouble=True) == alone


def test_the_balances_of_two_venues_never_mix():
    with Desk(rich=False) as desk:
        desk.balance(0, 2, PLENTY)
        desk.want("a", 0, price=100, volume=10, instrument=0)
        desk.want("a", 1, price=100, volume=10, instrument=2)
        (request,) = desk.step()
        assert request["instrument"] == 0
        assert desk.refused("a") == {"balance-unknown": 1}
        desk.balance(1, 2, 10_000)
        (request,) = desk.step()
        assert request["instrument"] == 2
        assert (desk.reserved(0, 2), desk.reserved(1, 2)) == (10_000, 10_000)


def test_a_halt_of_one_venue_does_not_touch_the_other():
    with Desk() as desk:
        desk.event(EVENT_HALT, 1)
        desk.step()
        desk.want("a", 0, price=100, volume=10, instrument=0)
        desk.want("a", 1, price=100, volume=10, instrument=2)
        (request,) = desk.step()
        assert request["instrument"] == 0
        assert desk.refused("a") == {"venue-halted": 1}
        desk.event(EVENT_RESUME, 0)
        assert desk.step() == []


def test_limits_of_one_model_do_not_bind_another():
    strict = {"a": ModelLimits({0: OrderLimits(order_volume_max=1)}, open_orders_max=1)}
    with Desk(models=(("a", 2), ("b", 2)), limits=strict) as desk:
        for name in "ab":
            desk.want(name, 0, price=100, volume=5, side=ASK)
            desk.want(name, 1, price=99, volume=1)
        assert [(r["model"], text(r)) for r in desk.step()] == [
            (0, "new bid 1@99"),
            (1, "new ask 5@100"),
            (1, "new bid 1@99"),
        ]
        assert desk.refused("b") == {}


# ---------------------------------------------------------------- settings, restarts, signatures


@pytest.mark.parametrize(
    ("models", "settings_", "said"),
    [
        ([], {}, "1 to 64 models"),
        ([("a", 1), ("a", 1)], {}, "different names"),
        ([("a", 0)], {}, "'a' has 0 rows"),
        ([("a", 1)], {"limits": {"b": ModelLimits()}}, "limits of 'b'; models are a"),
        (
            [("a", 1)],
            {"limits": {"a": ModelLimits({9: OrderLimits()})}},
            "instrument 9: there are 4",
        ),
        ([("a", 1)], {"limits": {"a": ModelLimits(loss_max={3: 1})}}, "asset 3: there are 3"),
        ([("a", 1)], {"total_loss_max": {-1: 1}}, "asset -1"),
        ([("a", 1)], {"venues": {2: VenueTerms()}}, "venue 2: there are 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_what_was_expected(models, settings_, said):
    with pytest.raises(ValueError, match=said):
        Overseer("overseer", models, two_venues(), **settings_)


def test_order_ids_do_not_repeat_after_a_restart():
    with Desk() as desk:
        for row in range(3):
            desk.want("a", row, price=100, volume=1)
        before = {int(r["order_id"]) for r in desk.step()}
        desk.overseer.context[0]["sequence"] = 0
        again = desk.stepper.spines[1].queue("requests").count + 1
        assert again * 2048 > max(before)


@pytest.mark.needs_jit
@pytest.mark.skipif(not JIT, reason="machine code only")
def test_each_compiled_function_has_one_signature():
    with Desk(models=FOUR) as desk:
        desk.step()
    for module in (answers, ledger, limits, orders, sweep, watch, room):
        for name, function in vars(module).items():
            if getattr(function, "__module__", "") == module.__name__:
                assert len(getattr(function, "signatures", [None])) <= 1, name
