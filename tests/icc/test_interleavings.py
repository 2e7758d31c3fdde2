"""Queue and vector under all interleavings: what may be observed is named, all else fails.

Also known-bad variants, by replacement in the shipped source: each must be convicted.
"""

import pytest

from tests.icc.interleavings import Sequential, Weak
from tests.icc.scopes import (
    Search,
    a_number_is_healed_twice_and_reused,
    one_of_two_producers_dies,
    one_producer_dies_and_another_comes,
    one_producer_laps_a_reader,
    rows_are_read_while_written,
    two_attach_where_one_may,
    two_producers_and_a_reader,
    two_producers_lap_each_other,
)

# What may be seen, and why.
WHY = {
    "whole": "a message, under the number its producer was told, or of one that died untold",
    "void": "a number whose producer died or was lapped in mid-write",
    "lapped": "numbers that are overwritten now: counted as lost",
    "republished": "a producer lapped in mid-write: its message has a later number",
    "row of zeros": "nothing was written yet",
    "row 1": "the first write",
    "row 2": "the second write",
    "row 3": "the write of the second writer, who goes on after the first died",
    "busy": "a write went on at every try, or its writer is dead",
    "refused": "the one producer's place is taken",
    "died": "a producer died before it was told its number",
}

SCOPES = {
    one_producer_laps_a_reader: {"whole", "lapped"},
    two_producers_lap_each_other: {"whole", "lapped", "republished"},
    two_producers_and_a_reader: {"whole", "lapped", "void", "republished"},
    one_producer_dies_and_another_comes: {"whole", "lapped", "void", "died"},
    one_of_two_producers_dies: {"whole", "lapped", "void", "died"},
    a_number_is_healed_twice_and_reused: {"whole", "lapped", "died"},
    two_attach_where_one_may: {"whole", "refused"},
    rows_are_read_while_written: {"row of zeros", "row 1", "row 2", "row 3", "busy"},
}

# The same under the weak memory, in smaller scopes.
WEAK_SCOPES = {
    one_producer_laps_a_reader: ({"words": 2, "count": 3, "polls": 2}, {"whole", "lapped"}),
    two_producers_and_a_reader: (
        {"counts": (1, 2), "polls": 1},
        {"whole", "lapped", "republished"},
    ),
    one_producer_dies_and_another_comes: ({"counts": (1, 1)}, {"whole", "void", "died"}),
    rows_are_read_while_written: (
        {"polls": 1},
        {"row of zeros", "row 1", "row 2", "row 3", "busy"},
    ),
}


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope.__name__)
def test_in_no_interleaving_is_anything_seen_that_has_no_name(scope):
    assert scope() == SCOPES[scope]


@pytest.mark.parametrize("scope", WEAK_SCOPES, ids=lambda scope: scope.__name__)
def test_the_stated_orderings_are_enough_under_a_weak_memory(scope):
    sizes, expected = WEAK_SCOPES[scope]
    assert scope(search=Search(Weak()), **sizes) == expected


def test_every_outcome_that_may_be_observed_has_a_reason():
    tables = [*SCOPES.values(), *(names for _, names in WEAK_SCOPES.values())]
    assert set().union(*tables) == set(WHY)


# ---------------------------------------------------------------- known-bad variants


READER_SKIPS_SECOND_LOOK = ("if load_relaxed(slot) == expected:", "if True:")
READER_IGNORES_WRITING = (
    ("if version < expected:", "if version < expected and version & STATE_MASK != WRITING:"),
    ("if version == expected:", "if version == expected or version & STATE_MASK == WRITING:"),
    READER_SKIPS_SECOND_LOOK,
)
WRITER_DOES_NOT_MARK = ('store_relaxed(slot, writing(number, np.int64(producer["owner"])))', "pass")
PLAIN_STORE_WHEN_LAPPED = (
    "if compare_exchange(slot, writing(number, owner), whole(number)):",
    "store_release(slot, whole(number))\n        if True:",
)
HEAL_WITHOUT_LIVENESS = ('and not owner_alive(consumer["owners"], owner):', "and True:")
SLOT_NOT_LEFT_TO_LAPPED = ("void(number, holder)):", "void(number, 0)):")
HEAL_WITHOUT_TAKING_OVER = (
    ("if not compare_exchange(owner_at, seen, healer):", "if False:"),
    ("compare_exchange(owner_at, healer, 0)", "store_release(owner_at, 0)"),
)
VOID_COUNTED_AS_LOST = (
    "if load_acquire(slot) >> NUMBER_SHIFT <= oldest + 1:",
    "if load_acquire(slot) < writing(oldest + 1, 0):",
)
HEAD_IS_THE_COUNT = (
    "while load_acquire(slots + (head & (capacity - 1)) * slot_bytes) >= whole(head):",
    "while False:",
)
SECOND_LOOK_SKIPPED = ("if load_relaxed(slot) == version:", "if True:")
ROW_NOT_MARKED = ("store_relaxed(slot, version)", "pass")
ODD_IGNORED = ("if version & 1:", "if False:")

CONVICTED = [
    (one_producer_laps_a_reader, READER_SKIPS_SECOND_LOOK, "torn"),
    (one_producer_laps_a_reader, READER_IGNORES_WRITING, "torn"),
    (one_producer_laps_a_reader, WRITER_DOES_NOT_MARK, "torn"),
    (two_producers_and_a_reader, READER_SKIPS_SECOND_LOOK, "torn"),
    (two_producers_lap_each_other, PLAIN_STORE_WHEN_LAPPED, "consumer stuck"),
    (two_producers_and_a_reader, HEAL_WITHOUT_LIVENESS, "torn"),
    (two_producers_lap_each_other, SLOT_NOT_LEFT_TO_LAPPED, "torn"),
    (a_number_is_healed_twice_and_reused, HEAL_WITHOUT_TAKING_OVER, "vanished"),
    (one_of_two_producers_dies, VOID_COUNTED_AS_LOST, "counted lost though there"),
    (one_producer_dies_and_another_comes, HEAD_IS_THE_COUNT, "voided though published"),
    (rows_are_read_while_written, SECOND_LOOK_SKIPPED, "torn"),
    (rows_are_read_while_written, ROW_NOT_MARKED, "torn"),
    (rows_are_read_while_written, ODD_IGNORED, "torn"),
]

NO_RELEASE_FENCE = ("fence_release()  # The payload is not seen to change", "pass  # ")
NO_RELEASE_FENCE_SHARED = ("fence_release()\n        copy_in(", "copy_in(")
NO_ACQUIRE_FENCE = ("fence_acquire()  # The second look", "pass  # ")
PUBLISHED_RELAXED = ("store_release(slot, whole(number))", "store_relaxed(slot, whole(number))")
FIRST_LOOK_RELAXED = (
    "version = load_acquire(slot)\n    expected = whole(number)",
    "version = load_relaxed(slot)\n    expected = whole(number)",
)
NUMBER_TAKEN_UNFENCED = ("fence_release()  # Who sees a slot WRITING", "pass  # ")
ROW_NO_RELEASE_FENCE = ("    fence_release()\n", "")
ROW_NO_ACQUIRE_FENCE = ("        fence_acquire()\n", "")
ROW_RELAXED = ("store_release(slot, version + 1)", "store_relaxed(slot, version + 1)")

CONVICTED_WHERE_MEMORY_IS_WEAK = [
    (one_producer_laps_a_reader, NO_RELEASE_FENCE, "torn"),
    (one_producer_laps_a_reader, NO_ACQUIRE_FENCE, "torn"),
    (one_producer_laps_a_reader, PUBLISHED_RELAXED, "torn"),
    (one_producer_laps_a_reader, FIRST_LOOK_RELAXED, "torn"),
    (two_producers_and_a_reader, NO_RELEASE_FENCE_SHARED, "torn"),
    (one_producer_dies_and_another_comes, NUMBER_TAKEN_UNFENCED, "voided though published"),
    (rows_are_read_while_written, ROW_NO_RELEASE_FENCE, "torn"),
    (rows_are_read_while_written, ROW_NO_ACQUIRE_FENCE, "torn"),
    (rows_are_read_while_written, ROW_RELAXED, "torn"),
]


def _variant(value) -> str | None:
    names = (name for name, known in globals().items() if known is value and name.isupper())
    return next(names, getattr(value, "__name__", None))


def _pairs(variant: tuple) -> tuple:
    return (variant,) if isinstance(variant[0], str) else variant


@pytest.mark.parametrize(("scope", "variant", "crime"), CONVICTED, ids=_variant)
def test_a_known_bad_variant_is_convicted(scope, variant, crime):
    assert crime in scope(*_pairs(variant), search=Search(Sequential(), crime))


@pytest.mark.parametrize(
    ("scope", "variant", "crime"), CONVICTED_WHERE_MEMORY_IS_WEAK, ids=_variant
)
def test_a_missing_order_is_convicted_by_the_weak_memory_alone(scope, variant, crime):
    sizes, _ = WEAK_SCOPES[scope]
    assert crime not in scope(*_pairs(variant), **sizes)
    assert crime in scope(*_pairs(variant), search=Search(Weak(), crime), **sizes)
