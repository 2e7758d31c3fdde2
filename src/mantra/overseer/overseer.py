"""The Overseer: for each ideal order of each model, what is to be sent, if anything.

In:        `cache-<model>` vectors of IDEAL_ORDER rows; orders, fills, balances, events, trades.
Out:       requests, events; the vector "<name>-counters"; its ACTOR_ROW's `pending`.
Must not know: venues' words, books, processes.

A step, straight down: is trading on? read the answers; look at the rows that changed; then what
nothing waits for: last prices, time, counters. A request carries the origin of its ideal order,
or of the venue's word it waited for, if that came later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

import numpy as np

from mantra.actors import actor, pacing
from mantra.actors.spine import CLOCK_VECTOR, Spine
from mantra.compiled import duty_cycle, inlined
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.icc.seqlock_vector import try_read_row, writes
from mantra.messages import amounts, records
from mantra.messages.tables import Tables
from mantra.overseer import answers, rehearsal, state, sweep, watch
from mantra.overseer.state import CAPACITY, CONTEXT, COUNTERS, LIMITS, MODEL, NOWHERE
from mantra.telemetry.clock import CLOCK_FIX, Calibration
from mantra.telemetry.tracked import note_detail, tell_held, ticks_early, ticks_now

CACHE_PREFIX = "cache-"
COUNTERS_SUFFIX = "-counters"
STEPS_A_CHECK = 256  # steps between looks at the clock: some microseconds when idle
NEVER_BITES = 10**12
MODELS_MAX = 64
ROWS_MAX = 1024  # of one model: a row is two bytes in a request, and a sweep has an end
MODEL_SHIFT = 48  # a sweep's timing details the model, and the writes of its rows by then
_calibration = cache(Calibration)


@dataclass(frozen=True)
class OrderLimits:
    """Of one model on one instrument. In the instrument's units; 0: no limit."""

    order_volume_max: int = 0
    order_notional_max: int = 0  # units of the quote asset
    collar_ppm: int = 0  # largest distance of a price from the last traded one
    position_max: int = 0  # volume, long or short, live orders counted as filled


@dataclass(frozen=True)
class ModelLimits:
    """Of one model. 0: no limit."""

    instruments: Mapping[int, OrderLimits] = field(default_factory=dict)  # by instrument id
    open_orders_max: int = 0
    requests_per_second: float = 0
    requests_burst: int = 1  # that may go at once
    loss_max: Mapping[int, int] = field(default_factory=dict)  # a day, by id of the quote asset


@dataclass(frozen=True)
class VenueTerms:
    """What a venue offers and allows."""

    amends: bool = False
    requests_per_second: float = 0  # 0: no limit
    requests_burst: int = 1


@inlined
def sweep_models(context):
    """Look at each model whose ideal orders were written, or that has rows to be looked at."""
    models = records_at(context["models"], context["model_count"], MODEL)
    sent = 0
    for model in range(context["model_count"]):
        owner = models[model]
        if writes(owner["cache"]) != owner["writes"] or owner["dirty"]:
            start = ticks_early(context["track"])
            requests = sweep.sweep_model(context, model, start)
            note_detail(context["track"], model << MODEL_SHIFT | owner["writes"])
            answers.end_step(context, np.int64(answers.TIMER_SWEEP), start, requests)
            sent += requests + 1
    return sent


@duty_cycle
def step(context_address):
    context = records_at(context_address, 1, CONTEXT)[0]
    watch.look_at_control(context)
    updates = answers.drain(context, np.int64(answers.TIMER_ORDERS), context["orders_in"])
    fills = answers.drain(context, np.int64(answers.TIMER_FILLS), context["fills_in"])
    balances = answers.drain(context, np.int64(answers.TIMER_BALANCES), context["balances_in"])
    events = answers.drain(context, np.int64(answers.TIMER_EVENTS), context["events_in"])
    work = updates + fills + balances + events
    if updates < answers.BATCH and fills < answers.BATCH and balances < answers.BATCH:
        work += sweep_models(context)  # All that led to what was read is read as well.
    work += answers.drain(context, np.int64(answers.TIMER_TRADES), context["trades_in"])
    if work > 0:
        tell_held(context["track"])
        watch.show_open(context)
        context["idle"] = 0
    else:
        rehearsal.keep_warm(context)
    context["steps"] += 1
    if context["steps"] % STEPS_A_CHECK == 0:
        now = ticks_now(context["track"])
        if now >= context["check_at"]:
            context["check_at"] = now + context["retry_ticks"]
            watch.let_time_pass(context, now)
    if work == 0 and context["changed"]:
        watch.show_counters(context)
    return work


class Overseer(actor.Actor):
    """One for all models of a run. A model's index is its place in `models`."""

    reads: ClassVar = ("orders", "fills", "balances", "events", "trades")
    writes: ClassVar = ("requests", "events")
    timers: ClassVar = answers.TIMERS
    helpers: ClassVar = (rehearsal.rehearse,)
    step = step

    def __init__(
        self,
        name: str,
        models: Sequence[tuple[str, int]],
        tables: Tables,
        limits: Mapping[str, ModelLimits] | None = None,
        *,
        total_loss_max: Mapping[int, int] | None = None,
        venues: Mapping[int, VenueTerms] | None = None,
        request_timeout_s: float = 5.0,
        retry_s: float = 0.1,
        market_slack_ppm: int = 20_000,
        rehearses: bool = False,
    ):
        """`models`: name and rows of each. `limits` by model name; `venues` by venue id.

        `total_loss_max`: of all models together, a day, by id of the quote asset.
        `retry_s`: pause after a refused cancel, and how often what waits for time is looked at.
        `rehearses`: keep the way of an order warm while idle (rehearsal.py).
        `market_slack_ppm`: a market bid is budgeted at the last price plus this.
        Raises ValueError for limits of models, instruments or assets there are not.
        """
        super().__init__(name)
        self.models, self.tables = list(models), tables
        self.limits, self.venue_terms = dict(limits or {}), dict(venues or {})
        self.total_loss_max = dict(total_loss_max or {})
        self.request_timeout_s, self.retry_s = request_timeout_s, retry_s
        self.market_slack_ppm, self.rehearses = market_slack_ppm, rehearses
        self._check_settings()

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return {self.name + COUNTERS_SUFFIX: (COUNTERS, len(self.models) + 1)}

    def on_start(self, spine: Spine) -> None:
        models, tables = len(self.models), self.tables
        instruments, assets, venues = map(len, (tables.instruments, tables.assets, tables.venues))
        self.arrays = {
            "models": aligned_zeros(models, MODEL),
            "orders": aligned_zeros(CAPACITY, state.ORDER),
            "free_slots": aligned_zeros(CAPACITY, np.dtype("i8")),
            "positions": aligned_zeros(models * instruments, state.POSITION),
            "balances": aligned_zeros(venues * assets, state.BALANCE),
            "ledgers": aligned_zeros((models + 1) * assets, state.LEDGER),
            "markets": aligned_zeros(instruments, state.MARKET_STATE),
            "venues": aligned_zeros(venues, state.VENUE_STATE),
            "buckets": aligned_zeros(models + venues, state.BUCKET),
            "counters": aligned_zeros(models + 1, COUNTERS),
            "instruments": tables.instruments.copy(),
        }
        self.rows = [aligned_zeros(rows, state.ROW) for _, rows in self.models]
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        for name, array in self.arrays.items():
            context[name] = address_of(array)
        context["instrument_count"], context["asset_count"] = instruments, assets
        context["venue_count"], context["model_count"] = venues, models
        context["track"], context["control"] = spine.track_address, spine.control.address
        context["pending"] = spine.row_address + pacing.PENDING_AT
        context["requests"] = address_of(spine.outlet("requests"))
        context["events_out"] = address_of(spine.outlet("events"))
        for queue in self.reads:
            context[f"{queue}_in"] = address_of(spine.inlet(queue))
        context["counters_out"] = address_of(spine.vector(self.name + COUNTERS_SUFFIX, COUNTERS))
        # Ids do not repeat after a restart: each order of before was a request in this queue.
        context["sequence"] = spine.queue("requests").count + 1
        ticks_per_second = _ticks_per_second(spine)
        context["retry_ticks"] = round(self.retry_s * ticks_per_second)
        context["timeout_ticks"] = round(self.request_timeout_s * ticks_per_second)
        context["market_slack_ppm"] = self.market_slack_ppm
        self._fill_models(spine, ticks_per_second)
        if self.rehearses:
            self._rehearsal = rehearsal.Rehearsal(self._understudy())
            context["rehearse"] = rehearsal.rehearse.address
            context["rehearsal"] = self._rehearsal.address
        spine.keep(self.arrays, self.rows)

    def on_stop(self) -> None:
        if self.context is not None:
            watch.show_counters(self.context[0])

    def _understudy(self) -> "Overseer":
        """One with limits of all kinds that never bite."""
        name, never = rehearsal.UNDERSTUDY, NEVER_BITES
        of_orders = OrderLimits(never, never, amounts.PPM, never)
        limits = ModelLimits({0: of_orders}, never, 1e6, never, {rehearsal.QUOTE: never})
        return Overseer(name, [(name, 1)], rehearsal.one_market(), {name: limits})

    def _fill_models(self, spine: Spine, ticks_per_second: float) -> None:
        assets, instruments = len(self.tables.assets), len(self.tables.instruments)
        ledgers, buckets = self.arrays["ledgers"], self.arrays["buckets"]
        for index, (name, rows) in enumerate(self.models):
            limits = self.limits.get(name, ModelLimits())
            model = self.arrays["models"][index]
            model["cache"] = address_of(spine.vector(CACHE_PREFIX + name, records.IDEAL_ORDER))
            model["rows"], model["first_row"] = rows, address_of(self.rows[index])
            model["open_max"] = limits.open_orders_max
            _fill_bucket(buckets[index], limits, ticks_per_second)
            self.rows[index]["slot"] = NOWHERE
            for instrument, of_orders in limits.instruments.items():
                line = self.arrays["positions"][index * instruments + instrument]
                for limit in LIMITS:
                    line[limit] = getattr(of_orders, limit)
            for asset, loss in limits.loss_max.items():
                ledgers[index * assets + asset]["loss_max"] = loss
        for asset, loss in self.total_loss_max.items():
            ledgers[len(self.models) * assets + asset]["loss_max"] = loss
        for venue, terms in self.venue_terms.items():
            self.arrays["venues"][venue]["amends"] = terms.amends
            _fill_bucket(buckets[len(self.models) + venue], terms, ticks_per_second)

    def _check_settings(self) -> None:
        names = [name for name, _ in self.models]
        if not 1 <= len(names) <= MODELS_MAX or len(set(names)) != len(names):
            raise ValueError(f"overseer: expected 1 to {MODELS_MAX} models of different names")
        for name, rows in self.models:
            if not 1 <= rows <= ROWS_MAX:
                raise ValueError(f"overseer: model {name!r} has {rows} rows; 1 to {ROWS_MAX}")
        for name, limits in self.limits.items():
            if name not in names:
                raise ValueError(f"overseer: limits of {name!r}; models are {', '.join(names)}")
            instruments = f"limits of {name!r}: instrument"
            _check_ids(instruments, limits.instruments, self.tables.instruments)
            _check_ids(f"loss_max of {name!r}: asset", limits.loss_max, self.tables.assets)
        _check_ids("total_loss_max: asset", self.total_loss_max, self.tables.assets)
        _check_ids("venues: venue", self.venue_terms, self.tables.venues)


def _check_ids(what: str, given: Mapping[int, object], table: np.ndarray) -> None:
    for index in given:
        if not 0 <= index < len(table):
            raise ValueError(f"overseer: {what} {index}: there are {len(table)}, numbered from 0")


def _fill_bucket(bucket: np.void, terms: ModelLimits | VenueTerms, ticks_per_second: float) -> None:
    if terms.requests_per_second > 0:
        interval = max(round(ticks_per_second / terms.requests_per_second), 1)
        bucket["interval"], bucket["slack"] = interval, (terms.requests_burst - 1) * interval


def _ticks_per_second(spine: Spine) -> float:
    """From the run's clock if somebody keeps one, else measured."""
    fix = aligned_zeros(1, CLOCK_FIX)
    if try_read_row(address_of(spine.vector(CLOCK_VECTOR, CLOCK_FIX)), 0, address_of(fix)) > 0:
        return float(fix["ticks_per_second"][0])
    return float(_calibration().fix["ticks_per_second"])
