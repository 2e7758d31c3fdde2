"""A short form of `make fuzz`: the kept corpus, and some mutations of it, through every target."""

from random import Random

import pytest

from mantra.compiled import JIT
from tests.exchanges.guarded import TEXT
from tests.fuzz.corpus import FOLDER, INPUT_BYTES, kept, seeds
from tests.fuzz.mutate import TOKEN, mutate, spans
from tests.fuzz.targets import SEEDS, TARGETS

CORPUS_BYTES_MAX = 200_000
MUTATIONS = 400 if JIT else 40
KEPT_UNCOMPILED = 40  # of a target's inputs; as machine code all


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_and_mutations_of_it_mislead_no_target(name):
    inputs, random = seeds(name), Random(20260401)
    for raw in inputs if JIT else inputs[:KEPT_UNCOMPILED]:
        TARGETS[name](raw)
    for _ in range(MUTATIONS):
        TARGETS[name](mutate(random.choice(inputs), random, inputs))


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_accepts_what_it_begins_with(name):
    assert any(map(TARGETS[name], SEEDS[name]))


def test_the_kept_corpus_is_small_and_of_targets_that_there_are():
    files = list(FOLDER.glob("*"))
    assert sum(path.stat().st_size for path in files) <= CORPUS_BYTES_MAX
    assert {path.stem for path in files} <= set(TARGETS)
    assert all(len(raw) <= INPUT_BYTES for name in TARGETS for raw in kept(name))


def test_members_and_items_are_found_in_any_text():
    tokens = TOKEN.findall(b'{"a":[1,{"b":2}],"c":"x,}"}')
    pieces = {b"".join(tokens[begin:end]) for begin, end in spans(tokens)}
    assert pieces == {b'"a":[1,{"b":2}]', b'"c":"x,}"', b"1", b'{"b":2}', b'"b":2'}
    assert spans(TOKEN.findall(b'}]{"a"')) == []


def test_mutations_are_the_same_again_and_differ_from_the_text():
    raw = SEEDS["kraken"][0]
    made = [[mutate(raw, Random(seed), [raw]) for seed in range(200)] for _ in range(2)]
    assert made[0] == made[1]
    assert sum(text != raw for text in made[0]) > 150
    assert TEXT.size > max(map(len, made[0]))
