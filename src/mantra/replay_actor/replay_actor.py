"""Which replay fits an actor, and the sentence that says what came of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mantra.exchanges.mock.exchange import MockExchange
from mantra.models.model_actor import ModelActor
from mantra.overseer.overseer import Overseer
from mantra.replay_actor import compare, exchange, model, overseer
from mantra.replay_actor.recording import Recording

REPLAYS: dict[type, Callable] = {
    ModelActor: model.replay_model,
    Overseer: overseer.replay_overseer,
    MockExchange: exchange.replay_exchange,
}


def replay_actor(run_directory: Path | str, actor: str) -> dict[str, Any]:
    """Feed `actor` of a recorded run what it had read, and compare what it sends.

    Returns `same`; `said`, for people; `fed`, messages by queue; `outputs` by stream: how many
    were `recorded` and `replayed`, and the first `difference` or None; `lost`, messages that the
    recording does not have; `notes`. Raises ArchiveError for a run or an actor that cannot be
    replayed, ConfigError where the run's config does not work here.
    """
    recording = Recording(run_directory, actor)
    fed, outputs, notes = REPLAYS[type(recording.actor)](recording, recording.actor)
    lost = recording.lost()
    notes += [f"the recording lacks {count:,} messages of {queue}" for queue, count in lost.items()]
    notes += [str(damage) for damage in recording.reader.damages]
    same = all(outcome["difference"] is None for outcome in outputs.values())
    fed = {queue: count for queue, count in fed.items() if count}
    result = {"actor": actor, "same": same, "fed": fed, "outputs": outputs}
    result |= {"lost": lost, "notes": notes}
    return result | {"said": _sentence(result)}


def _sentence(result: dict[str, Any]) -> str:
    fed = ", ".join(f"{count:,} {queue}" for queue, count in result["fed"].items())
    lines = [f"{result['actor']}: fed {fed or 'nothing'}"]
    for stream, outcome in result["outputs"].items():
        if outcome["difference"] is None:
            lines.append(f"[{stream}]: all {outcome['recorded']:,} messages are the same")
        else:
            counts = f"{outcome['recorded']:,} recorded, {outcome['replayed']:,} replayed"
            lines.append(f"[{stream}]: {counts}; the first difference: {compare.tell(outcome)}")
    return "\n".join([*lines, *result["notes"]])
