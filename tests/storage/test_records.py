from __future__ import annotations

from pathlib import Path

import pytest

from retraining.graphs.quiet_tensorflow import tf
from retraining.storage import records
from retraining.storage.records import DamagedRecord

RECORDS = [b"", b"a", bytes(range(256)) * 20]


def written(folder: Path) -> Path:
    path = folder / "records"
    path.write_bytes(b"".join(map(records.encode, RECORDS)))
    return path


def test_files_are_those_that_tensorflow_writes(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "tensorflow's")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert written(tmp_path).read_bytes() == (tmp_path / "tensorflow's").read_bytes()


def test_records_are_read_in_order(tmp_path: Path) -> None:
    assert list(records.read(written(tmp_path))) == RECORDS


def test_changed_byte_anywhere_is_noticed_after_the_records_before_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    second, third = len(records.encode(RECORDS[0])), len(records.encode(RECORDS[0]) + records.encode(b"a"))
    for position in range(second, third):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        reader = records.read(path)
        assert next(reader) == RECORDS[0]
        with pytest.raises(DamagedRecord, match=f"^corrupted record at {second}$"):
            next(reader)


def test_file_that_was_cut_within_a_record_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    second, third = len(records.encode(RECORDS[0])), len(records.encode(RECORDS[0]) + records.encode(b"a"))
    for end in range(second + 1, third):
        path.write_bytes(content[:end])
        with pytest.raises(DamagedRecord, match=f"^truncated record at {second}$"):
            list(records.read(path))
