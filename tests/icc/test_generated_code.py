"""What the compiler made of the seqlocks: the order is there, in IR, on x86-64 and on aarch64.

Compiled fresh: of what Numba loads from its cache it cannot show the code. The aarch64 code is made
from the same IR by LLVM's other back end; no such machine is needed.
"""

import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import njit, types

from mantra.icc import queue, seqlock_vector
from mantra.icc.memory import records_at

pytestmark = pytest.mark.needs_jit

ADDRESSES = (types.int64, types.int64)
ROWS = (types.int64, types.int64, types.int64)
ACQUIRE = r"load atomic i64, .* acquire"
RELAXED_LOAD = r"load atomic i64, .* monotonic"
RELAXED_STORE = r"store atomic i64 .* monotonic"
RELEASE = r"store atomic i64 .* release"
FENCE_ACQUIRE = r"fence acquire"
FENCE_RELEASE = r"fence release"
CAS = r"cmpxchg .* acq_rel acquire"


def plain_read(slot_address, target_address):
    """Known bad: the natural seqlock, no atomics."""
    slot = records_at(slot_address, 1, SLOT)[0]
    target = records_at(target_address, 1, SLOT)[0]
    before = slot["version"]
    if before & 1:
        return 0
    total = slot["a"] + slot["b"] * 3
    if slot["version"] != before:
        return 0
    target["a"] = total
    return 1


SLOT = np.dtype([("version", "i8"), ("a", "i8"), ("b", "i8")], align=True)


def ir_of(function, signature) -> str:
    """Optimised IR: the function with all it calls inlined, without its Python wrapper."""
    fresh = njit(nogil=True)(getattr(function, "py_func", function))
    fresh.compile(signature)
    text = fresh.inspect_llvm(fresh.signatures[0])
    functions = re.findall(r"^define .*?^}$", text, flags=re.MULTILINE | re.DOTALL)
    for unwanted in functions:
        if re.search(r"@(_ZN7cpython|NRT_)", unwanted.splitlines()[0]):
            text = text.replace(unwanted, "")
    return text


def assembly_of(function, signature, triple: str) -> str:
    """Machine code of the same IR for another kind of machine."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as error:
        pytest.skip(f"this LLVM has no such back end: {error}")
    machine = target.create_target_machine(opt=3)
    text = ir_of(function, signature)
    text = re.sub(r'^target datalayout = ".*"$', "", text, flags=re.MULTILINE)
    text = re.sub(r'^target triple = ".*"$', f'target triple = "{triple}"', text, flags=re.M)
    module = llvm.parse_assembly(text)
    module.data_layout = str(machine.target_data)
    return machine.emit_assembly(module)


LABEL = re.compile(r'^"?([\w.$]+)"?:')
TARGETS = re.compile(r"label %([\w.$]+)|(?<![\w.])(\.LBB\w+)")
GOES_ON = re.compile(r"^\s+(br label|br i1|switch|ret|unreachable|b\s|jmp|ret)")


def in_order(code: str, *patterns: str) -> None:
    """Fail unless some path through the first function meets the patterns in this order."""
    lines = code.split("\n}\n", maxsplit=1)[0].splitlines()
    labels = {m[1]: index for index, line in enumerate(lines) if (m := LABEL.match(line))}
    start = next(i for i, line in enumerate(lines) if re.match(r"define |_ZN.*:$", line))
    found, open_ends = set(), [(start + 1, 0)]
    while open_ends:
        here = open_ends.pop()
        at, matched = here
        if here in found or at >= len(lines):
            continue
        found.add(here)
        line = lines[at]
        matched += bool(re.search(patterns[matched], line))
        if matched == len(patterns):
            return
        names = [one or other for one, other in TARGETS.findall(line)]
        open_ends += [(labels[name], matched) for name in names if name in labels]
        if not GOES_ON.match(line):
            open_ends.append((at + 1, matched))
    best = max(matched for _, matched in found)
    raise AssertionError(f"no {patterns[best]!r} behind the first {best} of {patterns} in\n{code}")


def test_a_reader_looks_at_the_version_on_both_sides_of_the_copy():
    code = ir_of(queue.try_consume, ADDRESSES)
    in_order(code, ACQUIRE, RELAXED_LOAD, RELAXED_STORE, FENCE_ACQUIRE, RELAXED_LOAD)


def test_a_row_reader_looks_at_the_version_on_both_sides_of_the_copy():
    code = ir_of(seqlock_vector.try_read_row, ROWS)
    in_order(code, ACQUIRE, RELAXED_LOAD, RELAXED_STORE, FENCE_ACQUIRE, RELAXED_LOAD)


def test_nothing_of_a_slot_is_read_or_written_by_a_plain_access():
    for function, signature in ((queue.try_consume, ADDRESSES), (queue.publish, ADDRESSES)):
        code = ir_of(function, signature)
        assert "llvm.memcpy" not in code
        assert not re.search(r"(load|store) <\d+ x i64>", code), (
            "vectorised: no longer word by word"
        )


def test_a_producer_marks_the_slot_before_and_after_the_payload():
    code = ir_of(queue.publish, ADDRESSES)
    in_order(code, RELAXED_STORE, FENCE_RELEASE, RELAXED_LOAD, RELAXED_STORE, RELEASE, RELEASE)


def test_producers_that_share_a_queue_claim_and_publish_by_compare_exchange():
    code = ir_of(queue.publish_shared, ADDRESSES)
    in_order(code, FENCE_RELEASE, RELAXED_STORE, CAS)
    assert len(re.findall(CAS, ir_of(queue.claim, (types.int64,)))) == 2


def test_a_row_writer_marks_the_row_before_and_after_the_payload():
    code = ir_of(seqlock_vector.write_row, ROWS)
    in_order(code, RELAXED_STORE, FENCE_RELEASE, RELAXED_LOAD, RELAXED_STORE, RELEASE, RELEASE)


def test_the_known_bad_reader_looks_once_and_is_told_apart():
    code = ir_of(plain_read, ADDRESSES)
    body = code[code.index("define ") :].split("\n}\n", maxsplit=1)[0]
    with pytest.raises(AssertionError):
        in_order(code, ACQUIRE, RELAXED_LOAD, RELAXED_STORE, FENCE_ACQUIRE, RELAXED_LOAD)
    assert not re.search(r"(load|store) atomic|cmpxchg|^  fence", body)
    assert len(re.findall(r"load i64, ", body)) == 3, "version, a, b: the second look is gone"


ARM = "aarch64-unknown-linux-gnu"


def test_on_x86_64_the_second_look_is_a_load_behind_the_last_word_copied():
    code = assembly_of(queue.try_consume, ADDRESSES, "x86_64-unknown-linux-gnu")
    assert "mfence" not in code
    in_order(code, r"movq\s+8\(%r", r"#MEMBARRIER", r"(cmpq|movq)\s.*\(%r")


def test_aarch64_readers_acquire_copy_fence_and_look_again():
    for function, signature in (
        (queue.try_consume, ADDRESSES),
        (seqlock_vector.try_read_row, ROWS),
    ):
        code = assembly_of(function, signature, ARM)
        in_order(
            code, r"\blda(p?)r\b", r"\bldr\b", r"\bstr\b", r"dmb\s+ishld", r"\bldr\b", r"\bcmp\b"
        )


def test_aarch64_writers_mark_fence_copy_and_release():
    for function, signature in ((queue.publish, ADDRESSES), (seqlock_vector.write_row, ROWS)):
        code = assembly_of(function, signature, ARM)
        in_order(code, r"\bstr\b", r"dmb\s+ish\b", r"\bldr\b", r"\bstr\b", r"\bstlr\b", r"\bstlr\b")


def test_aarch64_compare_exchange_acquires_and_releases():
    code = assembly_of(queue.claim, (types.int64,), ARM)
    in_order(code, r"\bldaxr\b|\bcasal\b")
    in_order(code, r"\bstlxr\b|\bcasal\b")
