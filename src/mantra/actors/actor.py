"""The actor contract. An actor knows nothing of processes, cores, sleeping or wall clocks.

    name        unique in a run
    reads       names of the queues it consumes
    writes      names of the queues it publishes to
    timers      names of the steps it times (numbered in this order)
    on_start    given a Spine: attach, fill the context record
    step        compiled duty cycle: context address -> work done; 0: nothing to do;
                CALL_PYTHON: it has work for `on_call`, outside compiled code
    on_call     Python's turn; rare, and never on the way of an order
    on_stop     last words: flush, close

An actor object is made by the system, in the supervisor's process, and carries settings only; all
else is made in `on_start`, in the process that runs it.
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mantra.compiled import DutyCycle
from mantra.icc.memory import address_of

if TYPE_CHECKING:
    from mantra.actors.spine import Spine

CALL_PYTHON = -1


class Actor:
    """Base of all actors: subclasses set the class attributes and override what they need."""

    reads: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[tuple[str, ...]] = ()
    timers: ClassVar[tuple[str, ...]] = ()
    is_source: ClassVar[bool] = False  # begins origins; a run ends when all its sources are DONE
    stops_last: ClassVar[bool] = False  # sees what all others have sent: recorders
    step: ClassVar[DutyCycle]
    helpers: ClassVar[tuple[DutyCycle, ...]] = ()  # duty cycles that `step` calls by address

    def __init__(self, name: str):
        self.name = name
        self.context: np.ndarray | None = None

    @property
    def context_address(self) -> int:
        assert self.context is not None, f"actor {self.name}: on_start made no context"
        return address_of(self.context)

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        """Vectors this actor writes: name -> (record, rows). Made before any actor starts."""
        return {}

    def on_start(self, spine: "Spine") -> None:
        """Attach to what the spine offers and make the context."""
        raise NotImplementedError

    def on_call(self) -> None:
        """Python's turn, after a step returned CALL_PYTHON."""

    def on_stop(self) -> None:
        """The last call, in the actor's process, after its last step."""
