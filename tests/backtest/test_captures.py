"""Files as pieces of whole lines, whatever they are packed in and however they end."""

import gzip

import pytest

from mantra.backtest import captures
from mantra.backtest.captures import Captures, piece_of, pieces

LINES = [b"%d line %d" % (i, i * i) for i in range(500)]
TEXT = b"\n".join(LINES)


def lines_of(path, damages=None) -> list[tuple[int, bytes]]:
    """(number, text) of every line of a file."""
    found = []
    for piece, _ in pieces(path, [] if damages is None else damages):
        begin = 0
        for i, end in enumerate(piece.ends):
            found.append((piece.first_line + i, piece.text[begin:end].tobytes()))
            begin = end + 1
    return found


NUMBERED = list(enumerate(LINES, 1))


@pytest.mark.parametrize("tail", [b"", b"\n"])
@pytest.mark.parametrize("piece_bytes", [7, 100, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
def test_every_line_comes_once_with_its_number(tmp_path, monkeypatch, tail, piece_bytes, packed):
    monkeypatch.setattr(captures, "PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(captures, "PACKED_BYTES", piece_bytes)
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress(TEXT + tail) if packed else TEXT + tail)
    assert lines_of(path) == NUMBERED


def test_files_packed_in_several_members_are_one_text(tmp_path):
    path = tmp_path / "lines.gz"
    path.write_bytes(b"".join(gzip.compress(line + b"\n") for line in LINES))
    assert lines_of(path) == NUMBERED


@pytest.mark.parametrize("cut", [30, 200, 500, -1])
def test_a_file_cut_short_gives_what_it_has_and_says_where(tmp_path, cut):
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(TEXT)[:cut])
    damages: list[captures.Damage] = []
    found = lines_of(path, damages)
    assert len(damages) == 1
    assert found[:-1] == NUMBERED[: max(len(found) - 1, 0)]
    assert damages[0].line == max(len(found) - 1, 0)


def test_a_damaged_file_gives_what_comes_before(tmp_path):
    path = tmp_path / "lines.gz"
    raw = bytearray(gzip.compress(TEXT))
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    damages: list[captures.Damage] = []
    lines_of(path, damages)
    assert len(damages) == 1


def test_a_line_without_end_is_given_up_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(captures, "PIECE_BYTES", 100)
    monkeypatch.setattr(captures, "LINE_BYTES_MAX", 350)
    path = tmp_path / "line"
    path.write_bytes(b"x" * 1000)
    assert [len(text) for _, text in lines_of(path)] == [400, 400, 200]


@pytest.mark.parametrize("keep", [0, 1 << 20])
def test_a_session_is_gone_through_as_often_as_wanted(tmp_path, monkeypatch, keep):
    monkeypatch.setattr(captures, "KEEP_BYTES", keep)
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(TEXT + b"\n")
    seen: list[tuple[int, int]] = []
    session = Captures(paths, 2, lambda *now: seen.append(now))
    times = [[(path, piece.text.tobytes()) for path, piece in session] for _ in range(2)]
    assert times[0] == times[1] == [(path, TEXT + b"\n") for path in paths]
    assert seen == sorted(seen)
    assert seen[-1] == (4 * len(TEXT) + 4, 4 * len(TEXT) + 4)


def test_a_piece_knows_where_its_lines_end():
    assert piece_of(b"ab\n\ncd", 3).ends.tolist() == [2, 3, 6]
    assert piece_of(b"ab\n", 3).ends.tolist() == [2]
