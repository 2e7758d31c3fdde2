"""import and archive, on captures and archives made here."""

import pytest

from mantra.archive import ArchiveReader, ArchiveWriter
from tests.archive.rows import l2_rows, trade_rows
from tests.backtest.made_captures import depth, snapshot, trade, write

GOOD = [
    snapshot(10, "100.10:1.5 100.00:2", "100.20:1 100.30:4"),
    depth(11, 12, bids="100.10:3", asks="100.40:1"),
    trade(1, "100.15", "0.5"),
]


@pytest.fixture
def archive(tmp_path):
    with ArchiveWriter(tmp_path / "archive", block_rows=50) as writer:
        writer.append("l2", l2_rows(60)[:200])
        writer.append("trades", trade_rows(7))
    return tmp_path / "archive"


def damage(archive):
    path = archive / "l2.0.mantra"
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


# ---------------------------------------------------------------- import


def test_captures_become_an_archive(mantra, tmp_path):
    write(tmp_path / "0.gz", GOOD)
    ended = mantra("import", "binance", tmp_path / "0.gz", "--out", tmp_path / "out", "--json")
    assert ended.code == 0
    assert (ended.json["lines"], ended.json["levels"], ended.json["trades"]) == (3, 6, 1)
    reader = ArchiveReader(tmp_path / "out")
    assert (reader.rows("l2"), reader.rows("trades")) == (6, 1)


def test_exponents_and_the_venues_name_may_be_given(mantra, tmp_path):
    write(tmp_path / "0.gz", GOOD)
    options = ("--out", tmp_path / "out", "--name", "here", "--instrument", "BTCUSDT:4:6")
    ended = mantra("import", "binance", tmp_path / "0.gz", *options)
    assert ended.code == 0
    assert "6 levels, 1 trades" in ended.out
    tables = ArchiveReader(tmp_path / "out").metadata["tables"]
    assert tables["venues"] == [{"name": "here"}]
    (instrument,) = tables["instruments"]
    assert (instrument["price_exponent"], instrument["volume_exponent"]) == (4, 6)


def test_tardis_files_become_an_archive_and_a_bad_line_is_named(mantra, tmp_path):
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    (tmp_path / "t.csv").write_text(head + f"binance,BTCUSDT,{10**15},{10**15},7,buy,9.5,1\n")
    ended = mantra("import", "tardis", tmp_path / "t.csv", "--out", tmp_path / "out")
    assert ended.code == 0
    assert ArchiveReader(tmp_path / "out").rows("trades") == 1
    (tmp_path / "t.csv").write_text(head + "binance,BTCUSDT\n")
    ended = mantra("import", "tardis", tmp_path / "t.csv", "--out", tmp_path / "b")
    assert ended.code not in (0, None)
    assert "t.csv: line 2: not a row of eight columns" in ended.err


@pytest.mark.parametrize("text", ["BTCUSDT", "BTCUSDT:2", "BTCUSDT:x:5", "BTCUSDT:2:99", "B:-1:2"])
def test_exponents_that_cannot_be(mantra, tmp_path, text):
    write(tmp_path / "0.gz", GOOD)
    options = ("--out", tmp_path / "out", "--instrument", text)
    ended = mantra("import", "binance", tmp_path / "0.gz", *options)
    assert ended.code == 2
    assert f"instrument '{text}': expected SYMBOL:price_exponent:volume_exponent" in ended.err
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_used_is_told_and_is_exit_code_1(mantra, tmp_path):
    write(tmp_path / "0.gz", [GOOD[0], b"17231612539 {", depth(20, 21, bids="100.10:3"), GOOD[2]])
    ended = mantra("import", "binance", tmp_path / "0.gz", "--out", tmp_path / "out")
    assert ended.code == 1
    assert "refused: 1 " in ended.out
    assert "gaps: " in ended.out


def test_an_archive_is_not_imported_into_twice(mantra, tmp_path):
    write(tmp_path / "0.gz", GOOD)
    arguments = ("import", "binance", tmp_path / "0.gz", "--out", tmp_path / "out")
    assert [mantra(*arguments).code, mantra(*arguments).code] == [0, 2]


# ---------------------------------------------------------------- archive


def test_streams_are_listed(mantra, archive):
    ended = mantra("archive", "ls", archive, "--json")
    assert ended.json["damages"] == []
    l2, trades = ended.json["streams"]
    assert (l2["stream"], l2["rows"], trades["stream"], trades["rows"]) == ("l2", 200, "trades", 7)
    assert l2["bytes"] == (archive / "l2.0.mantra").stat().st_size
    assert l2["bytes_per_row"] == l2["bytes"] / 200
    assert l2["ratio"] == pytest.approx(200 * 64 / l2["bytes"])
    assert "200" in mantra("archive", "ls", archive).out


@pytest.mark.parametrize(
    ("limit", "rows"), [((), 20), (("--limit", 120), 120), (("--limit", 0), 200)]
)
def test_rows_are_printed(mantra, archive, limit, rows):
    expected = l2_rows(60)[:rows]
    ended = mantra("archive", "cat", archive, "l2", *limit, "--json")
    assert ended.json["stream"] == "l2"
    found = ended.json["rows"]
    assert [row["price"] for row in found] == expected["price"].tolist()
    assert [row["ts_origin"] for row in found] == expected["ts_origin"].tolist()
    lines = mantra("archive", "cat", archive, "l2", *limit).out.splitlines()
    assert len(lines) == rows
    assert f" price={expected['price'][-1]} " in lines[-1]


def test_a_stream_that_is_not_there(mantra, archive):
    ended = mantra("archive", "cat", archive, "orders")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"mantra: {archive}: no stream 'orders'; has l2, trades\n"
    assert mantra("archive", "cat", archive, "l2", "--limit", "-1").code == 2


def test_whole_blocks_are_exit_code_0(mantra, archive):
    ended = mantra("archive", "verify", archive)
    assert ended.code == 0
    assert "l2: 200 rows in 4 blocks, 1 files" in ended.out
    assert "all blocks are whole" in ended.out
    report = mantra("archive", "verify", archive, "--json").json
    assert report["ok"]
    assert report["streams"]["trades"]["rows"] == 7


def test_damage_is_named_and_exit_code_1(mantra, archive):
    damage(archive)
    ended = mantra("archive", "verify", archive)
    assert ended.code == 1
    assert f"{archive / 'l2.0.mantra'}: byte " in ended.out
    assert "DAMAGED" in ended.out
    ended = mantra("archive", "verify", archive, "--json")
    assert ended.code == 1
    assert not ended.json["ok"]
    assert len(ended.json["damages"]) == 1


def test_what_is_no_folder_is_a_users_error(mantra, tmp_path):
    for command in ("ls", "verify"):
        assert mantra("archive", command, tmp_path / "none").code == 2
