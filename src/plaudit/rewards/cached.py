"""Scores that are computed once: a cache on disk, keyed by fingerprint, prompt and response.

One SQLite file per folder: several processes may share it, a killed one leaves it whole. A scorer without a fingerprint
(an unknown server, say) is never cached.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import PlauditError
from plaudit.records import Preference, conversation_digest, digest
from plaudit.rewards.stream import cut, refusals
from plaudit.scorer import Scorer

FILE = "scores.sqlite"
_ASKED = 500  # keys in one query; SQLite's own limit is 999 in old builds


class Cached:
    """A scorer in front of which a cache stands. `hits` and `misses` count responses.

    Only the missing responses of a preference go to the scorer, so its score of a response must not depend on the other
    responses: that is what a fingerprint promises. Where a prompt has to be cut it does depend on the longest of them:
    such a preference is kept and asked for as a whole.
    """

    def __init__(self, scorer: Scorer, folder: str | Path) -> None:
        self.inner, self.fingerprint = scorer, scorer.fingerprint
        self.path = Path(folder) / FILE
        self.hits = self.misses = 0
        self._store = _open(self.path) if self.fingerprint else None

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        rows = list(preferences)
        if self._store is None:
            return self.inner.score_all(rows)
        whole = cut(self.inner, rows)
        keys = [_keys(self.fingerprint, p, together=w) for p, w in zip(rows, whole)]
        known = self._look_up({k for of in keys for k in of})
        missing = [[i for i, k in enumerate(of) if k not in known] for of in keys]
        missing = [list(range(len(of))) if w and lost else lost for w, of, lost in zip(whole, keys, missing)]
        asked = [n for n, of in enumerate(missing) if of]
        found = self.inner.score_all([_only(rows[n], missing[n]) for n in asked])
        for n, scores in zip(asked, found):
            known.update({keys[n][i]: float(s) for i, s in zip(missing[n], scores)})
        fresh = {keys[n][i] for n in asked for i in missing[n]}
        self.misses += sum(map(len, missing))
        self.hits += sum(map(len, keys)) - sum(map(len, missing))
        self._keep([(k, known[k]) for k in sorted(fresh) if known[k] == known[k]])
        return [np.array([known[k] for k in of]) for of in keys]

    def watch(self, heard: Any) -> None:
        if hasattr(self.inner, "watch"):
            self.inner.watch(heard)

    def texts(self, preference: Preference) -> list[str]:
        return self.inner.texts(preference)  # type: ignore[attr-defined]

    def refusals(self, preferences: Sequence[Preference]) -> list[str]:
        """Why the scorer behind cannot take each preference; see `stream.refusals`."""
        return refusals(self.inner, preferences)

    def cut(self, preferences: Sequence[Preference]) -> list[bool]:
        """Whether the scorer behind has to cut each preference's prompt; see `stream.cut`."""
        return cut(self.inner, preferences)

    @property
    def loaded(self) -> Any:
        """The model behind, None when there is none."""
        return getattr(self.inner, "loaded", None)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _look_up(self, keys: set[bytes]) -> dict[bytes, float]:
        wanted = sorted(keys)
        found: dict[bytes, float] = {}
        for start in range(0, len(wanted), _ASKED):
            part = wanted[start : start + _ASKED]
            marks = ",".join("?" * len(part))
            found.update(self._run(f"SELECT key, score FROM scores WHERE key IN ({marks})", part))
        return found

    def _keep(self, rows: Sequence[tuple[bytes, float]]) -> None:
        if rows:
            self._run("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows, many=True)

    def _run(self, query: str, values: Sequence, *, many: bool = False) -> list:
        assert self._store is not None
        try:
            with self._store:
                run = self._store.executemany if many else self._store.execute
                return run(query, values).fetchall()
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store = sqlite3.connect(path, timeout=60)
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, score REAL NOT NULL) WITHOUT ROWID")
        return store
    except (sqlite3.Error, OSError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> PlauditError:
    return PlauditError(f"{path}: the score cache cannot be used: {error}", advice="remove it, or name another --cache")


def _keys(fingerprint: str, preference: Preference, *, together: bool) -> list[bytes]:
    """One per response; `together`: the other responses count as well."""
    prompt, own = conversation_digest(preference.prompt), [conversation_digest(r) for r in preference.responses]
    return [bytes.fromhex(digest(fingerprint, prompt, r, *(own if together else ()))) for r in own]


def _only(preference: Preference, which: list[int]) -> Preference:
    """The same prompt with some of its responses, unjudged."""
    if len(which) == len(preference.responses):
        return preference
    return replace(preference, responses=tuple(preference.responses[i] for i in which), ranks=None, ratings=())
