"""A broadcast queue that is obviously right: a list of all messages, and a window on its end."""

from dataclasses import dataclass, field


@dataclass
class NaiveQueue:
    """Keeps everything; what a ring of `capacity` would have lost is lost to its consumers."""

    capacity: int
    messages: list[int] = field(default_factory=list)

    def publish(self, message: int) -> int:
        self.messages.append(message)
        return len(self.messages) - 1

    def try_consume(self, at: int) -> tuple[str, int, int | None]:
        """What a consumer that wants number `at` gets: status, where it stands then, message."""
        oldest = len(self.messages) - self.capacity
        if at < oldest:
            return "SPED_PAST", oldest, None
        if at == len(self.messages):
            return "EMPTY", at, None
        return "DATA", at + 1, self.messages[at]
