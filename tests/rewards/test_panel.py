"""Committees as scorers through the commands: what they cannot take is left out, and their members can be seen."""

import json
from typing import get_args

import numpy as np
import pytest
import torch

import plaudit
from families import tiny_family
from plaudit.cli import run
from plaudit.errors import DataError, PlauditError
from plaudit.evaluation.options import ScoreOptions
from plaudit.folders import publish
from plaudit.models import checkpoint
from plaudit.models.committee import Committee, TrunkSpec, load_trunk
from plaudit.models.features import features
from plaudit.models.heads.scalar import last_layer
from plaudit.models.members import LENGTH, Member, View, view_matrix
from plaudit.records import pair
from plaudit.rewards.stream import opinions, refusals, scored_chunk
from plaudit.signals.aggregate import Combine, aggregate
from plaudit.training.bags import Pairs
from plaudit.training.heads import fit

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

LONG = "far too long " * 60


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """A committee of three heads on `tiny`, which takes 64 tokens."""
    home = tmp_path_factory.mktemp("heads")
    rows = [pair(f"q{i}", f"yes {i}", "no") for i in range(24)]
    trunk = load_trunk("tiny", max_length=64)
    spec = TrunkSpec("tiny", trunk.fingerprint, "float32", 64, (2, 1), ("read",))
    views = [View(0, 2, "read"), View(0, 1, "read"), LENGTH]
    read = features(trunk, rows, home / "features", layers=spec.layers, pools=spec.pools)
    pairs = Pairs(2 * np.arange(24), 2 * np.arange(24) + 1, np.ones(24), np.ones(24), np.arange(24).astype(np.uint64))
    members = [Member(0), Member(1, "linear", 4), Member(2)]
    _, fitted = fit(lambda v: view_matrix(views[v], [read], rows), pairs, np.arange(24) % 2, members)
    with publish(home / "committee") as part:
        Committee([trunk], [spec], views, fitted).save(part)
    return home / "committee"


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A committee of two reward models that take 64 tokens, and of length."""
    home = tmp_path_factory.mktemp("together")
    for seed in (0, 1):
        model, tokenizer = tiny_family("llama", seed)
        with torch.no_grad():
            last_layer(model).weight.normal_(generator=torch.Generator().manual_seed(seed))
        with publish(home / f"rm{seed}") as part:
            checkpoint.save(part, model, tokenizer, {"policy": {"max_length": 64}})
    names = [str(home / "rm0"), str(home / "rm1"), "length"]
    entries = [
        {"scorer": n, "fingerprint": plaudit.load(n).fingerprint, "scale": k + 1.0, "center": 0.0}
        for k, n in enumerate(names)
    ]
    (home / "committee").mkdir()
    document = {"format": 2, "kind": "scorers", "members": entries}
    (home / "committee" / "committee.json").write_text(json.dumps(document))
    return home / "committee"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"q{i}", "chosen": LONG if i == 2 else f"yes {i}", "rejected": "no", "id": f"{i}"}
            for i in range(5)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("kind", ["heads", "together"])
def test_an_over_long_row_is_left_out_and_counted(kind, file, tmp_path, request, capsys):
    folder = str(request.getfixturevalue(kind))
    for flags in ([], ["--members"], ["--cache", str(tmp_path / "cache")]):
        out = tmp_path / f"scores{len(flags)}{flags[:1]}.jsonl"
        assert run(["score", folder, str(file), "--output", str(out), "--json", *flags]) == 0
        counts = json.loads(capsys.readouterr().out)["counts"]
        assert (counts["preferences"], counts["not_scored"]) == (5, 1)
        assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["0", "1", "3", "4"]
    assert run(["evaluate", folder, str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["not_scored"] == 1


@pytest.mark.parametrize("kind", ["heads", "together"])
def test_who_refuses_is_asked_of_every_part(kind, request):
    handle = plaudit.load(request.getfixturevalue(kind))
    rows = [pair("q", "yes", "no"), pair("q", "yes", LONG)]
    assert [bool(reason) for reason in refusals(handle, rows)] == [False, True]
    with pytest.raises(DataError):
        scored_chunk(handle, rows)
    left = []
    taken = scored_chunk(handle, rows, lambda p, why: left.append(why))
    assert [p for p, _ in taken] == rows[:1]
    assert "token" in left[0]
    assert refusals(plaudit.load("length"), rows) == []


@pytest.mark.parametrize("kind", ["heads", "together"])
def test_members_are_combined_as_asked(kind, file, tmp_path, request, capsys):
    folder, rows = request.getfixturevalue(kind), [pair("q", "yes", "no"), pair("q", "maybe", "never")]
    prints = set()
    for how in get_args(Combine):
        handle = plaudit.load(folder, combine=how)
        for votes, scores in zip(handle.votes_all(rows), handle.score_all(rows), strict=True):
            np.testing.assert_array_equal(scores, aggregate(votes, how))
        prints.add(handle.fingerprint)
        out = tmp_path / f"{how}.jsonl"
        assert run(["score", str(folder), str(file), "--output", str(out), "--combine", how]) == 0
        assert run(["evaluate", str(folder), str(file), "--combine", how]) == 0
    assert len(prints) == 5
    assert len({(tmp_path / f"{how}.jsonl").read_bytes() for how in get_args(Combine)}) == 5
    assert plaudit.load(folder).fingerprint == plaudit.load(folder, combine="mean").fingerprint
    capsys.readouterr()
    assert run(["evaluate", "length", str(file), "--combine", "min"]) == 2
    assert "only a committee has members" in capsys.readouterr().err
    assert get_args(get_args(ScoreOptions.model_fields["combine"].annotation)[0]) == get_args(Combine)


@pytest.mark.parametrize("kind", ["heads", "together"])
def test_members_and_spread_stand_beside_the_mean(kind, file, tmp_path, request, capsys):
    folder = request.getfixturevalue(kind)
    plain, out = tmp_path / "plain.jsonl", tmp_path / "out.jsonl"
    assert run(["score", str(folder), str(file), "--output", str(plain)]) == 0
    capsys.readouterr()
    assert run(["score", str(folder), str(file), "--output", str(out), "--members", "--json"]) == 0
    names = json.loads(capsys.readouterr().out)["members"]
    assert len(set(names)) == 3
    for one, other in zip(plain.read_text().splitlines(), out.read_text().splitlines(), strict=True):
        row = json.loads(other)
        members = np.array(row.pop("members"))
        assert members.shape == (3, 2)
        np.testing.assert_allclose(row["scores"], members.mean(0), atol=1e-12)
        np.testing.assert_allclose(row.pop("spread"), members.std(0), atol=1e-12)
        assert row == json.loads(one)
    handle = plaudit.load(folder)
    found = handle.opinion("q0", ["yes 0", "no"])
    first = json.loads(out.read_text().splitlines()[0])
    np.testing.assert_allclose(found.members, first["members"], atol=1e-5)
    np.testing.assert_allclose(found.spread, first["spread"], atol=1e-5)
    assert opinions(handle, [])[:] == []
    assert run(["score", str(folder), str(file), "--output", str(tmp_path / "x"), "--members", "--dry-run"]) == 0
    assert run(["evaluate", "--scores", str(out), str(file), "--missing", "loss"]) == 0


def test_only_a_committee_has_members(file, tmp_path, together, capsys):
    ask = ["--output", str(tmp_path / "x"), "--members"]
    assert run(["score", "length", str(file), *ask]) == 2
    assert "length is one scorer" in capsys.readouterr().err
    assert run(["score", str(together), str(file), *ask, "--cache", str(tmp_path / "cache")]) == 2
    assert "--cache keeps scores alone" in capsys.readouterr().err
    with pytest.raises(PlauditError, match="without members"):
        plaudit.load("length").opinion("q", "a")
    with pytest.raises(PlauditError, match="no response"):
        plaudit.load(together).opinion("q", [])


def test_a_precision_or_length_that_heads_do_not_obey_is_said(heads, capsys):
    plaudit.load(heads)
    assert capsys.readouterr().err == ""
    plaudit.load(heads, dtype="bfloat16", max_length=64)
    (line,) = capsys.readouterr().err.splitlines()
    assert "fitted with dtype float32, which stays; bfloat16 is not used" in line
