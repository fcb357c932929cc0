"""Shorter private names for the board: MicroPython keeps every name it has ever seen, about 18 bytes each, for good.

Names that begin with an underscore (``self._uncorrected``) become names that all files share (``_a``, ``_b`` …) before
compiling, each file by itself: a name in several files must not be reached through another object than ``self`` in any.
The table of names doubles when it is full, which costs 4 KB of heap at once: hence the thrift. :func:`readable` gives a
traceback from the board its names back.
"""

from __future__ import annotations

import io
import re
import string
import tokenize
from collections import Counter
from functools import lru_cache
from pathlib import Path

_PRIVATE = re.compile(r"_[A-Za-z]\w*$")
_CONST = re.compile(r"^(_\w+)(?:: int)? = const\(", re.MULTILINE)
_SHARED = [f"_{c}" for c in string.ascii_lowercase + string.ascii_uppercase]
# Classes here inherit from one another over file borders: a shared name could mean two attributes of one object.
_INHERITING = ("camera",)  # board/base.py has no private names


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(text).readline))


def _candidates(text: str) -> tuple[Counter[str], set[str], set[str]]:
    """Private names that a source defines, with their frequency; those that must stay: of other modules' objects
    (``sys.implementation._machine``), classes, constants, strings; those reached through another object than self."""
    found: Counter[str] = Counter()
    defined: set[str] = set()
    reached: set[str] = set()
    stay = set(_CONST.findall(text))
    tokens = _tokens(text)
    for k, token in enumerate(tokens):
        before = [t.string for t in tokens[max(0, k - 2) : k]]
        if token.type == tokenize.NAME and _PRIVATE.match(token.string):
            found[token.string] += 1
            if before[-1:] == ["."] and before != ["self", "."]:
                reached.add(token.string)
            if (
                before == ["self", "."]
                or before[-1:] == ["def"]
                or (tokens[k + 1].string == "=" and before[-1:] != ["."])
            ):
                defined.add(token.string)
            elif before[-1:] in (["class"], ["import"]):
                stay.add(token.string)
        elif token.type == tokenize.STRING and _PRIVATE.match(token.string.strip("\"'")):
            stay.add(token.string.strip("\"'"))
    return found, stay | (set(found) - defined), reached


@lru_cache(maxsize=4)
def _survey(package: Path, stamp: tuple[tuple[Path, int], ...]) -> dict[Path, dict[str, str]]:
    """For each file of the package: its private names and the shared ones they become."""
    names = {path: _candidates(path.read_text(encoding="utf-8")) for path, _ in stamp}
    files: Counter[str] = Counter()
    stay: set[str] = set(_SHARED)
    reached: set[str] = set()
    for found, kept, through in names.values():
        files.update(found.keys())
        stay |= kept
        reached |= through
    plan = {}
    for path, (found, _, _) in names.items():
        own = [n for n, _ in found.most_common() if n not in stay and (files[n] == 1 or n not in reached)]
        if path.relative_to(package).parts[0] in _INHERITING:
            own = []
        free = [n for n in _SHARED if files[n] == 0]
        plan[path] = dict(zip(own, free, strict=False))
    return plan


def _plans(package: Path) -> dict[Path, dict[str, str]]:
    return _survey(package, tuple((f, f.stat().st_mtime_ns) for f in sorted(package.rglob("*.py"))))


def readable(traceback: str, package: Path) -> str:
    """A traceback from a board that runs the sources in ``package``, with the functions' own names."""
    plans = {path.stem: plan for path, plan in _plans(package).items()}

    def own(found: re.Match[str]) -> str:
        names = {short: name for name, short in plans.get(found[2], {}).items()}
        return found[1] + found[2] + found[3] + names.get(found[4], found[4])

    return re.sub(r'(File ")([^"]+)(".* in )(\w+)', own, traceback)


def shortened(source: Path, package: Path, text: bytes) -> bytes:
    """``text``, which came from ``source`` inside ``package``, with its private names shortened."""
    plan = _plans(package).get(source)
    if not plan:
        return text
    lines = text.decode().splitlines(keepends=True)
    for token in reversed(_tokens(text.decode())):
        if token.type == tokenize.NAME and token.string in plan:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + plan[token.string] + line[column + len(token.string) :]
    return "".join(lines).encode()
