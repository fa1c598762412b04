"""What is said of the layouts that were recognised."""

import json

from plaudit.data.read import read
from plaudit.data.told import told


def test_every_file_is_told_once_with_its_layout_unless_the_user_named_one(tmp_path, capsys):
    files = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    for file in files:
        rows = [{"prompt": f"{file.stem}{i}", "chosen": "yes", "rejected": "no"} for i in range(3)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = list(map(str, files))
    assert len(list(told(read(paths)))) == 6
    assert capsys.readouterr().err.splitlines() == [f"{path}: layout trl" for path in paths]
    assert len(list(told(read(paths, layout="trl"), "trl"))) == 6
    assert not capsys.readouterr().err
