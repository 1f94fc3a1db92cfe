"""Files are read row by row and written unchanged; what is wrong with a row costs that row, what is wrong with a file is said."""

import gzip
import io
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annot import formats
from annot.errors import BadInput, UnknownName
from annot.formats import Mapping, Problem, Row
from annot.formats.source import LONGEST_RECORD

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TEXT = Mapping("text")
Make = Callable[[str, str | bytes], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a file; strings as UTF-8, and compressed where the name ends in .gz."""

    def file(name: str, content: str | bytes) -> Path:
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return file


def rows(path: Path, mapping: Mapping = TEXT) -> list[Row]:
    found = list(formats.read(path, mapping))
    assert not (problems := [one for one in found if isinstance(one, Problem)]), problems
    return [one for one in found if isinstance(one, Row)]


def texts(path: Path) -> list[str]:
    return [row.text for row in formats.read(path, TEXT) if isinstance(row, Row)]


def problems(path: Path, mapping: Mapping = TEXT) -> list[Problem]:
    return [one for one in formats.read(path, mapping) if isinstance(one, Problem)]


def parquet(path: Path, columns: dict[str, Any], **choices: Any) -> Path:
    pq.write_table(pa.table(columns), path, **choices)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def test_where_no_name_fits_the_longest_values_are_the_texts() -> None:
    rows = [{"Nr.": "0001", "Nachricht": "Wo ist mein Paket?", "Ort": "Ulm"}, {"Nr.": "0002", "Nachricht": "", "Ort": "Bonn"}]
    assert formats.guess(list(rows[0]), rows).text == "Nachricht"
    assert formats.guess(list(rows[0])).text == ""
    assert [name for name in rows[0] if formats.is_prose(rows, name)] == ["Nachricht"]


# Which format


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "csv"),
        ("a.CSV.GZ", "csv"),
        ("a.b.tsv", "tsv"),
        ("a.ndjson", "jsonl"),
        ("a.jsonl.gz", "jsonl"),
        ("a.parquet", "parquet"),
    ],
)
def test_the_suffix_tells_the_format(name: str, expected: str) -> None:
    assert formats.reader_of(Path(name)) == expected


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", ".csv", "a.json"])
def test_an_unknown_suffix_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        formats.reader_of(Path(name))
    assert all(suffix in str(refused.value) for suffix in formats.suffixes())
    with pytest.raises(BadInput, match=re.escape(".jsonl")):
        formats.writer_of(Path(name))


def test_no_two_formats_share_a_suffix() -> None:
    assert len(set(formats.suffixes())) == len(formats.suffixes())
    assert {formats.reader_of(Path(f"a{suffix}")) for suffix in formats.suffixes()} == set(formats.readers)
    assert {formats.writer_of(Path(f"a{formats.writers.get(name).suffix}")) for name in formats.writers} == set(formats.writers)


@pytest.mark.parametrize("format", list(formats.writers))
def test_every_writer_writes_each_row_and_its_reader_finds_the_texts(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{formats.writers.get(format).suffix}"
    rows = [{"text": f"text {n} ü", "labels": ["ham"], "kind": "label", "relation": "is"} for n in range(3)]
    assert formats.write(format, path, rows, labels=["ham", "spam"]) == 3
    assert all(f"text {n} ü" in path.read_text("utf-8") for n in range(3))
    if format in formats.readers:
        assert texts(path) == [row["text"] for row in rows]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.tsv.gz", "a.jsonl", "a.ndjson.gz", "a.parquet", "a.parquet.gz"])
def test_every_format_reads_the_same_rows(name: str, make: Make, tmp_path: Path) -> None:
    table = {"uid": ["a", "b"], "text": ["one", "zwölf 🎈"], "topic": ["x", "y"], "split": ["pool", "test"], "n": ["1", "2"]}
    records = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    if "parquet" in name:
        path = parquet(tmp_path / name, table)
    elif "json" in name:
        path = make(name, "".join(json.dumps(record) + "\n" for record in records))
    else:
        sign = "\t" if "tsv" in name else ","
        path = make(name, "\n".join(sign.join(line) for line in [list(table), *zip(*table.values(), strict=True)]))
    assert formats.columns(path) == list(table)
    assert formats.preview(path, 1) == records[:1]
    read = rows(path, formats.guess(formats.columns(path)))
    first = 1 if "parquet" in name or "json" in name else 2
    assert read == [
        Row(first, "a", "one", ("x",), "pool", {"n": "1"}),
        Row(first + 1, "b", "zwölf 🎈", ("y",), "test", {"n": "2"}),
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.parquet"])
def test_progress_ends_at_the_size_of_the_file(name: str, make: Make, tmp_path: Path) -> None:
    content = {"a.csv": "text\n" + "hello\n" * 100_000, "a.jsonl.gz": '{"text":"hello"}\n' * 30_000}
    path = make(name, content[name]) if name in content else parquet(tmp_path / name, {"text": ["hello"] * 9000})
    seen: list[int] = []
    list(formats.read(path, TEXT, on_bytes=seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["id", "text", "label", "split"], Mapping("text", "id", "label", "split")),
        (["Message", "Category"], Mapping("Message", None, "Category")),
        (["review", "body", "UUID"], Mapping("body", "UUID")),
        (["External ID", "Topic", "phrase"], Mapping("", "External ID", "Topic")),
        (["phrase"], Mapping("phrase")),
        (["foo", "bar"], Mapping("")),
        ([], Mapping("")),
    ],
)
def test_columns_are_guessed_by_name(columns: list[str], expected: Mapping) -> None:
    assert formats.guess(columns) == expected


def test_a_preview_passes_over_bad_rows_and_cuts_long_values(make: Make) -> None:
    path = make("a.jsonl", 'oops\n{"text": "%s", "n": 1}\n{"text": "b"}\n' % ("x" * 900))
    assert formats.preview(path, 5) == [{"text": "x" * 500 + " …", "n": 1}, {"text": "b", "n": None}]


# CSV


def test_quotes_line_breaks_and_commas_inside_a_field_are_text(make: Make) -> None:
    path = make("a.csv", 'text,n\n"a ""b"", c\r\nd\re\n\nf",1\r\n plain ,2\n')
    assert [(row.line, row.text, row.metadata) for row in rows(path)] == [
        (2, 'a "b", c\r\nd\re\n\nf', {"n": "1"}),
        (7, " plain ", {"n": "2"}),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_any_line_end_and_a_byte_order_mark_are_taken(end: str, mark: bytes, make: Make) -> None:
    path = make("a.csv", mark + end.join(["text,n", "one,1", "", "two,2", "", ""]).encode())
    assert formats.columns(path) == ["text", "n"]
    assert [(row.line, row.text) for row in rows(path)] == [(2, "one"), (4, "two")]
    assert texts(make("a.jsonl", mark + b'{"text": "one"}\r\n\r\n{"text": "two"}')) == ["one", "two"]


@pytest.mark.parametrize(("header", "sign"), [("text;n", ";"), ("text\tn", "\t"), ("text,a;b", ","), ('"te,xt";text', ";")])
def test_a_csv_file_without_commas_in_its_header_is_read_with_what_it_has(header: str, sign: str, make: Make) -> None:
    path = make("a.csv", f"{header}\nhello{sign}there\n")
    assert len(formats.columns(path)) == 2
    assert len(rows(path)) == 1


def test_nul_and_other_control_characters_are_text(make: Make) -> None:
    text = "\0a\0\u202eb\x1b\u2028c\x85\0"
    assert texts(make("a.csv", f"text\n{text}\n")) == [text]
    assert texts(make("a.jsonl", json.dumps({"text": text}))) == [text]


def test_nameless_columns_are_named_by_their_place(make: Make) -> None:
    assert rows(make("a.csv", ", text ,\n0,hello,\n")) == [Row(2, None, "hello", metadata={"column 1": "0", "column 3": ""})]


@pytest.mark.parametrize(("fields", "said"), [("b,1,2", "3 fields, the header has 2 \\(text, n\\).*a comma in it"), ("b", "1 fields")])
def test_a_row_of_another_width_is_a_problem_and_the_next_is_read(fields: str, said: str, make: Make) -> None:
    path = make("a.csv", f"text,n\na,1\n{fields}\nc,3\n")
    assert texts(path) == ["a", "c"]
    (problem,) = problems(path)
    assert problem.line == 3
    assert re.search(said, problem.reason), problem.reason


@pytest.mark.parametrize("bad", [b"caf\xe9,1", b'"x\ncaf\xe9, y\nz",1', b"\xe2\x82,1", b"\xed\xa0\x80,1", b"ok,\xff"])
def test_bytes_that_are_not_utf8_cost_only_their_row(bad: bytes, make: Make) -> None:
    path = make("a.csv", b"text,n\na,1\n" + bad + b"\nb\xc3\xa9,2\n")
    assert texts(path) == ["a", "bé"]
    (problem,) = problems(path)
    assert problem.line == 3
    assert "not UTF-8" in problem.reason
    if b"\n" in bad:
        assert problem.reason.startswith("Line 4: Byte 4 of the line is 0xe9")


def test_a_quote_never_closed_is_a_problem_that_names_the_lines_lost(make: Make) -> None:
    path = make("a.csv", 'text,n\na,1\n"b,2\nc,3\n')
    assert texts(path) == ["a"]
    assert problems(path) == [
        Problem(3, "A quote that opens here is not closed before the end of the file; lines 3 to 4 were skipped. Close it, or double it.")
    ]


def test_a_stray_quote_changes_no_text_and_reading_goes_on(make: Make) -> None:
    path = make("a.csv", 'text,n\n"a" b,1\nc 5" d,2\n"e "f" g",3\nh,4\n')
    assert texts(path) == ['c 5" d', "h"]
    assert [problem.line for problem in problems(path)] == [2, 4]
    assert all("not doubled" in problem.reason for problem in problems(path))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_long_texts_pass_up_to_a_megabyte(name: str, tmp_path: Path) -> None:
    long = ["x" * 100_000, "é\n" * 333_333, "y" * 1_000_000, "z" * 1_000_001, "é" * 600_000, "last"]
    if name == "a.parquet":
        parquet(tmp_path / name, {"text": long})
    else:
        formats.write(name[2:], tmp_path / name, ({"text": text} for text in long))
    assert texts(tmp_path / name) == [*long[:3], "last"]
    assert [("1,000,001 bytes" in one.reason, len(one.reason) < 200) for one in problems(tmp_path / name)] == [(True, True), (False, True)]


@pytest.mark.parametrize(
    "huge",
    [
        "x" * (LONGEST_RECORD + 5),
        '"' + "x, y\r\n" * (LONGEST_RECORD // 5) + '"',
        '"' + "x" * (3 * LONGEST_RECORD) + '"',
        '"a\n' + "x" * (LONGEST_RECORD + 5) + '"',
    ],
    ids=["plain", "many lines", "one line", "second line"],
)
def test_a_record_longer_than_is_held_is_skipped_to_its_end(huge: str, make: Make) -> None:
    path = make("a.csv", f"text,n\na,1\n{huge},2\nb,3\n")
    found = list(formats.read(path, TEXT))
    assert [one.text if isinstance(one, Row) else one.line for one in found] == ["a", 3, "b"]
    assert isinstance(found[2], Row)
    assert found[2].line == 4 + huge.count("\n")


def test_a_huge_json_line_is_skipped(make: Make) -> None:
    path = make("a.jsonl", '{"text": "a"}\n{"text": "%s"}\n{"text": "b"}\n' % ("x" * 2 * LONGEST_RECORD))
    assert texts(path) == ["a", "b"]
    assert [problem.line for problem in problems(path)] == [2]


def test_a_quote_left_open_over_the_rest_of_a_file_is_not_held_in_memory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.delimited, "LONGEST_RECORD", 50_000)
    path = make("a.csv", 'text,n\n"a,1\n' + "some short text,2\n" * 200_000)
    tracemalloc.start()
    (problem,) = problems(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "never closed; lines 2 to 200002 were skipped" in problem.reason
    assert peak < 1_500_000


# JSON Lines


def test_json_values_are_kept_as_metadata(make: Make) -> None:
    path = make("a.jsonl", '{"text": "a", "n": 1, "f": 1.5, "o": {"k": [null, true]}, "nan": NaN, "inf": 1e999, "id": 7}\n')
    (row,) = rows(path, Mapping("text", "id"))
    assert row.external_id == "7"
    assert row.metadata == {"n": 1, "f": 1.5, "o": {"k": [None, True]}, "nan": None, "inf": None}


def test_keys_may_be_missing_and_columns_come_from_many_objects(make: Make) -> None:
    path = make("a.jsonl", '{"text": "a"}\n\n{"text": "b", "label": "x"}\n')
    assert formats.columns(path) == ["text", "label"]
    assert [(row.line, row.labels) for row in rows(path, Mapping("text", label="label"))] == [(1, ()), (3, ("x",))]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"text": "b",}', "not JSON: .* at column 14"),
        (b'{"text": "b"', "not JSON: .* at column 13"),
        (b'{"text": "b"} x', "not JSON: Extra data at column 15"),
        (b"[1, 2]", r"The line is '\[1, 2\]', a JSON object"),
        (b'"' + b"x" * 500 + b'"', "x' …, a JSON object"),
        (b"7", "a JSON object"),
        (b'{"text": "caf\xe9"}', "Byte 14 of the line is 0xe9"),
        (b'{"text": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"text": "\\ud800"}', r"lone surrogate \\ud800"),
        (b'{"text": "b", "m": ["\\uDFFF"]}', "lone surrogate"),
        (b'{"\\ud83d": 1, "text": "b"}', "lone surrogate"),
        (b'{"text": "b", "m": ' + b"[" * 101 + b"]" * 101 + b"}", "nested"),
        (b'{"text": "b", "m": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"text": "b", "m": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"m": "b"}', "no text: 'text' is missing"),
        (b'{"text": null}', "no text"),
        (b'{"text": ""}', "no text: 'text' is empty"),
        (b'{"text": " \\n\\u00a0"}', "white space only"),
        (b'{"text": 12}', "The text 'text' is 12, a string was expected"),
        (b'{"text": ["b"]}', "a string was expected"),
        (b'{"text": NaN}', "no text"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
def test_a_bad_json_line_is_a_problem_and_the_next_is_read(line: bytes, said: str, make: Make) -> None:
    path = make("a.jsonl", b'{"text": "a"}\n' + line + b'\n{"text": "\\ud83c\\udf88"}\n')
    assert texts(path) == ["a", "🎈"]
    (problem,) = problems(path)
    assert problem.line == 2
    assert re.search(said, problem.reason), problem.reason
    assert len(problem.reason) < 250
    problem.reason.encode()


# What the columns mean


@pytest.mark.parametrize(
    ("cell", "separator", "expected"),
    [
        ("sport", None, ("sport",)),
        (" a|b ", None, ("a|b",)),
        ("a| b ||a", "|", ("a", "b")),
        ('["a", "b|c", "a"]', "|", ("a", "b|c")),
        ("[1, true]", None, ("1", "true")),
        ("[unsure]", None, ("[unsure]",)),
        ("[]", None, ()),
        ("", None, ()),
        ("  ", "|", ()),
        ("x" * 2000, None, ("x" * 2000,)),
    ],
)
def test_a_label_cell_holds_one_label_a_json_list_or_parts(
    cell: str, separator: str | None, expected: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    formats.write("csv", path, [{"text": "t", "label": cell}])
    assert rows(path, Mapping("text", label="label", separator=separator))[0].labels == expected


@pytest.mark.parametrize(("value", "expected"), [("a", ("a",)), (["a", "b"], ("a", "b")), (3, ("3",)), (False, ("false",)), (None, ())])
def test_a_json_label_may_be_a_name_a_number_or_a_list(value: Any, expected: tuple[str, ...], make: Make) -> None:
    path = make("a.jsonl", json.dumps({"text": "t", "label": value}))
    assert rows(path, Mapping("text", label="label"))[0].labels == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Train", "pool"),
        (" unlabelled", "pool"),
        ("pool", "pool"),
        ("TEST", "test"),
        ("validation", "test"),
        ("dev", "test"),
        ("", ""),
        (" ", ""),
    ],
)
def test_split_names_are_understood(value: str, expected: str, make: Make) -> None:
    assert rows(make("a.csv", f"text,split\nt,{value}\n"), Mapping("text", split="split"))[0].split == expected


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"split": "gold"}, "The split is 'gold', expected pool"),
        ({"split": 1}, "The split is 1, expected"),
        ({"id": {"a": 1}}, 'The id is {"a": 1}, a string or a number'),
        ({"id": True}, "The id is true"),
        ({"label": {"a": 1}}, 'The label is {"a": 1}'),
        ({"label": [["a"]]}, 'The label is ["a"]'),
        ({"label": '["\\ud800"]'}, r"The label is '\ud800'"),
        ({"split": "x" * 5000}, "x' …, expected"),
    ],
)
def test_a_value_that_is_not_understood_is_a_problem(record: dict[str, Any], said: str, make: Make) -> None:
    path = make("a.jsonl", json.dumps({"text": "t", "id": None, "label": None, "split": None} | record))
    (problem,) = problems(path, Mapping("text", "id", "label", "split"))
    assert said in problem.reason
    problem.reason.encode()


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_id_is_none(value: str, make: Make) -> None:
    assert rows(make("a.csv", f"text,id\nt,{value}\n"), Mapping("text", "id"))[0].external_id is None


# Whole files


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "\n\n", "is empty"),
        ("a.jsonl", "\n \n", "is empty"),
        ("a.csv.gz", "", "is empty"),
        ("a.parquet", b"", "is empty"),
        ("a.csv", "text,a,text,a\nx,1,y,2\n", "more than one column named a, text"),
        ("a.csv", "id,texts\n1,x\n", r"no column 'text' for the text\. Its columns are: id, texts\. Did you mean 'texts'\?"),
        ("a.jsonl", '{"Text": "x"}', "Did you mean 'Text'"),
        ("a.csv", '"text,n\nx,1\n', "a quote in its first line is not closed"),
        ("a.csv", b"text,caf\xe9\nx,1\n", "header: Byte 9 of the line is 0xe9"),
        ("a.csv", "text\nx\n".encode("utf-16"), "UTF-16. Save it as UTF-8"),
        ("a.jsonl", "{}\n".encode("utf-16-be"), "UTF-16"),
        ("a.csv", b"PK\x03\x04...", "spreadsheet. Save the table as CSV"),
        ("a.csv", gzip.compress(b"text\nx\n", mtime=0), r"Add \.gz to its name"),
        ("a.jsonl", b"PAR1....", "Parquet"),
        ("a.jsonl", '[{"text": "a"},\n{"text": "b"}]', "no JSON object with keys in its first 2 lines"),
        ("a.jsonl", "{}\n", "no JSON object with keys"),
        ("a.parquet", b"text\nx\n", "not a Parquet file"),
        ("a.parquet.gz", b"text\nx\n", "not a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(name: str, content: str | bytes, said: str, make: Make) -> None:
    path = make(name, content)
    with pytest.raises(BadInput, match=said) as raised:
        list(formats.read(path, TEXT))
    assert path.name in str(raised.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet.gz"])
def test_a_file_that_is_not_compressed_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"text\nx\n")
    with pytest.raises(BadInput, match="not compressed with gzip"):
        list(formats.read(tmp_path / name, TEXT))


def test_a_path_that_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").mkdir()
    for name, said in (("a.csv", "There is no file"), ("b.csv", "is a folder")):
        with pytest.raises(BadInput, match=said):
            formats.columns(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_damaged_compression_is_said_with_the_last_good_line(name: str, harm: str, tmp_path: Path) -> None:
    path = tmp_path / name
    formats.write(name[2:-3], path, ({"text": f"text {n * 7919 % 100_003}"} for n in range(60_000)))
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    path.write_bytes(data[:half] if harm == "cut" else data[:half] + bytes(64) + data[half + 64 :])
    found = []
    with pytest.raises(BadInput, match=r"damaged after line \d+") as raised:
        found.extend(formats.read(path, TEXT))
    assert f"after line {found[-1].line}:" in str(raised.value)


def test_a_column_cannot_mean_two_things(make: Make) -> None:
    path = make("a.csv", "text,n\na,1\n")
    with pytest.raises(BadInput, match="both the text and the label"):
        list(formats.read(path, Mapping("text", label="text")))
    with pytest.raises(BadInput, match=r"Which column of a\.csv is the text"):
        list(formats.read(path, Mapping("")))
    with pytest.raises(BadInput, match="no column 'lable' for the label"):
        list(formats.read(path, Mapping("text", label="lable")))


# Parquet


def test_parquet_values_become_json_values(tmp_path: Path) -> None:
    when = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
    path = parquet(
        tmp_path / "a.parquet",
        {
            "text": pa.array(["a", "b"]).dictionary_encode(),
            "n": [1, None],
            "f": [1.5, float("nan")],
            "t": pa.array([when, None], pa.timestamp("ns", "UTC")),
            "d": pa.array([Decimal("1.20"), None]),
            "b": [b"ok", b"\xff"],
            "o": [{"k": [1.0, float("inf")]}, None],
        },
    )
    first, second = rows(path)
    assert first.metadata == {"n": 1, "f": 1.5, "t": when.isoformat(), "d": "1.20", "b": "ok", "o": {"k": [1.0, None]}}
    assert second.metadata == {"n": None, "f": None, "t": None, "d": None, "b": "ff", "o": None}
    json.dumps(first.metadata)


def test_bytes_in_parquet_that_are_not_utf8_cost_only_their_row(tmp_path: Path) -> None:
    column = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xe9x", b"b"]).buffers())
    path = parquet(tmp_path / "a.parquet", {"text": column})
    assert texts(path) == ["a", "b"]
    assert problems(path) == [Problem(2, "The value of 'text' cannot be read: byte 1 of it is 0xe9, which is not UTF-8 here.")]


def test_parquet_is_read_in_batches_and_a_missing_text_is_a_problem(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet.gz", {"text": [None if n % 5000 == 0 else f"text {n}" for n in range(10_000)]})
    assert [problem.line for problem in problems(path)] == [1, 5001]
    assert len(texts(path)) == 9998


def test_importing_formats_loads_no_large_library() -> None:
    code = "import sys, annot.formats; print([m for m in ('pyarrow', 'pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    assert done.stdout.strip() == "[]"


# Writing

HOSTILE = [
    "\0",
    "\r",
    "\n",
    "\r\n",
    '"',
    '""',
    ",",
    ";",
    "\t",
    "=1+1",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\x85",
    "🎈",
    "\\",
    "'",
    " ",
    "[",
    "|",
    "é",
]
strings = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=8).map("".join)
readable = strings.filter(lambda text: bool(text) and not text.isspace())


@pytest.mark.parametrize("format", ["csv", "jsonl"])  # those that keep every column
@given(rows=st.lists(st.fixed_dictionaries({"text": readable, "note, \"'": strings, "a;b": strings}), min_size=1, max_size=6))
@example(rows=[{"text": "\ufeff", "note, \"'": "", "a;b": ""}])
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_unchanged(format: str, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]) -> None:
    path = tmp_path_factory.getbasetemp() / f"law.{format}"
    assert formats.write(format, path, rows) == len(rows)
    found = list(formats.read(path, TEXT))
    assert [one.metadata | {"text": one.text} if isinstance(one, Row) else one for one in found] == rows


@pytest.mark.parametrize("name", ["fuzz.csv", "fuzz.tsv", "fuzz.jsonl", "fuzz.csv.gz"])
@given(
    data=st.lists(
        st.binary(max_size=6)
        | st.sampled_from(
            [b"text", b",", b"\t", b'"', b"\n", b"\r", b"\0", b"x", b'{"text": "a"}', b'{"text":', b"\\ud800", b"\xff", b"}"]
        ),
        max_size=30,
    ).map(b"".join)
)
@settings(max_examples=60, deadline=None)
def test_no_bytes_at_all_make_reading_crash(name: str, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / name
    content = (b"text,n\n" if "csv" in name else b"text\n" if "tsv" in name else b'{"text": "t"}\n') + data
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    try:
        for one in formats.read(path, TEXT):
            assert one.line >= 1
            (one.text if isinstance(one, Row) else one.reason).encode()
    except BadInput as fault:
        str(fault).encode()


def test_lists_objects_and_nothing_are_written_to_csv_as_json_and_as_nothing() -> None:
    out = io.BytesIO()
    formats.write("csv", out, [{"text": "=1+1", "labels": ["a", "é"], "m": {"k": float("nan")}, "none": None, "yes": True, "n": 1.5}])
    assert out.getvalue().decode() == 'text,labels,m,none,yes,n\r\n=1+1,"[""a"", ""é""]","{""k"": null}",,true,1.5\r\n'


def test_json_lines_keep_types_and_hold_no_nan() -> None:
    out = io.BytesIO()
    formats.write("jsonl", out, [{"text": "é\n", "score": float("nan"), "labels": []}, {"text": "b", "score": None, "labels": ["x"]}])
    assert out.getvalue().decode().splitlines() == [
        '{"text": "é\\n", "score": null, "labels": []}',
        '{"text": "b", "score": null, "labels": ["x"]}',
    ]


@pytest.mark.parametrize(("format", "expected"), [("csv", b"text,n\r\n"), ("jsonl", b"")])
def test_no_rows_leave_the_header(format: str, expected: bytes) -> None:
    out = io.BytesIO()
    assert formats.write(format, out, [], columns=["text", "n"]) == 0
    assert out.getvalue() == expected


def test_a_row_with_other_columns_is_not_written() -> None:
    with pytest.raises(ValueError, match="expected"):
        formats.write("csv", io.BytesIO(), [{"a": 1}, {"b": 2}])


def broken(error: Exception) -> Iterable[dict[str, str]]:
    yield {"text": "new"}
    raise error


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(KeyError):
        formats.write("csv", path, broken(KeyError()))
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.csv", "old")]


def test_half_a_character_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Row 2"):
        formats.write("csv", tmp_path / "a.csv", [{"text": "a"}, {"text": "\ud800"}])
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        formats.write("csv", tmp_path / "no" / "a.csv", [{"text": "a"}])


def test_a_name_ending_in_gz_is_compressed_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        formats.write("jsonl", tmp_path / name, [{"text": "a"}])
    assert texts(tmp_path / "a.jsonl.gz") == ["a"]
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_an_unknown_format_to_write_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="csv, jsonl"):
        formats.write("xlsx", io.BytesIO(), [])
