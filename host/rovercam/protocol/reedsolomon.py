"""Reed-Solomon RS(n, n-2t) over the CCSDS field (131.0-B section 4), dual basis, many codewords at once in NumPy.

Roots are a^(11 j), j = 128-t … 127+t: t = 16 and 8 are the standard's codes, the smaller ones nest inside them, so a codeword of one t is a codeword of
every smaller t. Syndromes come from one table lookup per byte (a row of packed syndrome contributions per position and value); wrong codewords are
solved together by Berlekamp-Massey, Chien and Forney over the batch. The library reedsolo is the oracle in the tests: at about 5 ms a codeword
it would be a hundred times too slow for a noisy line.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

FIELD_POLYNOMIAL = 0x187
GENERATOR_POWER = 11
MAX_T = 16
_FEW = 8  # words up to which they are solved one by one
_ZERO = 1024  # logarithm of 0: every sum with it lands in the zeros behind the exponentials


def first_root(t: int) -> int:
    """Power of a^11 of the first root: 112 for t = 16, 120 for t = 8."""
    return 128 - t


def _alpha_powers() -> list[int]:
    powers, x = [], 1
    for _ in range(255):
        powers.append(x)
        x <<= 1
        if x & 0x100:
            x ^= FIELD_POLYNOMIAL
    return powers


@cache
def _field() -> tuple[NDArray[np.int16], Bytes]:
    """log and exp to the base b = a^11; exp has zeros where a factor was 0."""
    alpha = _alpha_powers()
    log = np.full(256, _ZERO, np.int16)
    exp = np.zeros(2 * _ZERO + 1024, np.uint8)
    for i in range(255):
        value = alpha[GENERATOR_POWER * i % 255]
        log[value] = i
        exp[i::255][: (_ZERO - i + 254) // 255] = value
    exp[_ZERO:] = 0
    return log, exp


def _trace(value: int) -> int:
    log, exp = _field()
    total, x = 0, value
    for _ in range(8):
        total ^= x
        x = int(exp[2 * int(log[x]) % 255]) if x else 0
    return total  # 0 or 1


@cache
def bases() -> tuple[Bytes, Bytes]:
    """(to_dual, to_conventional): byte maps, from the definition: digit i of the dual byte (first transmitted first) is Tr(u a^(117 i))."""
    alpha = _alpha_powers()
    log_alpha = {v: i for i, v in enumerate(alpha)}
    traces = [_trace(v) for v in range(256)]
    to_dual = np.zeros(256, np.uint8)
    for u in range(1, 256):
        z = 0
        for i in range(8):
            z = z << 1 | traces[alpha[(log_alpha[u] + 117 * i) % 255]]
        to_dual[u] = z
    to_conventional = np.zeros(256, np.uint8)
    to_conventional[to_dual] = np.arange(256, dtype=np.uint8)
    return to_dual, to_conventional


_WORDS = {1: np.uint16, 2: np.uint32, 4: np.uint64, 8: np.uint64, 16: np.uint64}


@cache
def _table(t: int) -> NDArray:
    """Packed syndromes of a single byte: [part][255 * 256] items; index position * 256 + byte, position counted from the word's end."""
    log, exp = _field()
    _, to_conventional = bases()
    logs = log[to_conventional].astype(np.int32)  # of the dual byte
    roots = first_root(t) + np.arange(2 * t)
    position = np.arange(255)
    shift = (position[:, None] * roots[None, :]) % 255
    rows = exp[np.where(logs[None, :, None] == _ZERO, _ZERO, (logs[None, :, None] + shift[:, None, :]) % 255)]
    item = _WORDS[t]
    packed = np.ascontiguousarray(rows).view(item)  # (255, 256, parts)
    return np.ascontiguousarray(np.moveaxis(packed, 2, 0).reshape(packed.shape[2], 255 * 256))


def syndromes(words: Bytes, t: int) -> Bytes:
    """(n, length) codewords, first byte sent first -> (n, 2t) syndromes in the conventional basis. length at most 255."""
    n, length = words.shape
    table = _table(t)
    at = words.astype(np.intp)
    at += np.arange(length - 1, -1, -1, dtype=np.intp) * 256
    out = np.empty((n, 2 * t), np.uint8)
    width = table.dtype.itemsize
    for part in range(table.shape[0]):
        got = np.take(table[part], at, mode="clip")  # no index is out of range: not looked for
        folded = np.bitwise_xor.reduce(got, axis=1).reshape(n, 1)
        out[:, part * width : (part + 1) * width] = folded.view(np.uint8).reshape(n, width)
    return out


def suspects(words: Bytes, t: int) -> NDArray[np.intp]:
    """Rows that are no codewords, at a fraction of the cost of all syndromes: by two of them, which one or two wrong bytes never leave at zero.

    More wrong bytes do by a chance of 2^-16. A frame whose data were among them then fails its check sequence, and is looked at again with all.
    """
    return np.flatnonzero(syndromes(words, min(t, 1)).any(axis=1))


def nested(s: Bytes, t: int) -> Bytes:
    """Syndromes for a smaller t out of those of a larger one (the roots are nested around 127.5)."""
    big = s.shape[1] // 2
    return s[:, big - t : big + t]


def correct(words: Bytes, t: int, s: Bytes | None = None) -> NDArray[np.int16]:
    """Correct (n, length) codewords in place. Returns wrong bytes per word, -1 where there were more than t (word unchanged)."""
    n, length = words.shape
    counts = np.zeros(n, np.int16)
    if not t or not n:
        return counts
    if s is None:
        s = syndromes(words, t)
    dirty = np.flatnonzero(s.any(axis=1))
    if not dirty.size:
        return counts
    counts[dirty] = _solve(words, dirty, s[dirty], t, length)
    return counts


def _solve(words: Bytes, rows: NDArray, s: Bytes, t: int, length: int) -> NDArray[np.int16]:
    log, exp = _field()
    n = rows.size
    locator, degree = _berlekamp_massey(s, t) if n > _FEW else _one_by_one(s, t)
    # Chien: the locator at b^(-position), position counted from the word's end; positions before a shortened word do not exist.
    deepest = int(degree.max())
    logs = log[locator]
    terms = min(deepest, t) + 1
    powers = _powers()[:terms, :length]
    if n > _FEW:
        value = np.repeat(locator[:, :1], length, axis=1)
        for k in range(1, terms):
            value ^= exp[logs[:, k : k + 1] + powers[k]]
    else:
        value = np.bitwise_xor.reduce(exp[logs[:, :terms, None] + powers], axis=1)
    found_row, found_position = np.nonzero(value == 0)
    good = (degree <= t) & (np.bincount(found_row, minlength=n) == degree)
    if not good.any():
        return np.full(n, -1, np.int16)
    keep = good[found_row]
    found_row, found_position = found_row[keep], found_position[keep]
    # Forney: omega = s * locator mod x^2t, error = X^(1-first) omega(1/X) / locator'(1/X).
    omega = np.zeros((n, t), np.uint8)
    logs_s = log[s]
    for k in range(t):
        omega[:, k] = np.bitwise_xor.reduce(exp[logs_s[:, : k + 1] + logs[:, k::-1][:, : k + 1]], axis=1)
    inverse = (-found_position) % 255
    at_root = (inverse[:, None] * np.arange(t)[None, :] % 255).astype(np.int16)
    top = np.bitwise_xor.reduce(exp[log[omega[found_row]] + at_root], axis=1)
    bottom = np.bitwise_xor.reduce(exp[logs[found_row, 1 : t + 1 : 2] + at_root[:, 0:t:2]], axis=1)
    divide = np.where(bottom == 0, _ZERO, (255 - log[bottom]) % 255)
    scale = (found_position * (1 - first_root(t))) % 255
    error = exp[np.minimum((log[top].astype(np.int32) + divide + scale), exp.size - 1)]
    to_dual, _ = bases()
    # A word whose solution leaves syndromes was beyond t: checked before anything is changed.
    check = s.copy()
    roots = first_root(t) + np.arange(2 * t)
    term = exp[log[error][:, None] + (found_position[:, None] * roots[None, :] % 255).astype(np.int16)]
    np.bitwise_xor.at(check, found_row, term)
    good &= ~check.any(axis=1)
    keep = good[found_row]
    found_row, found_position, error = found_row[keep], found_position[keep], error[keep]
    at = (rows[found_row], length - 1 - found_position)
    words[at] ^= to_dual[error]
    return np.where(good, degree, -1).astype(np.int16)


def _berlekamp_massey(s: Bytes, t: int) -> tuple[Bytes, NDArray[np.int16]]:
    """Error locators (n, 2t+1) and their degrees, all words in step; words differ only in masks."""
    log, exp = _field()
    n = s.shape[0]
    size = 2 * t + 1
    c = np.zeros((n, size), np.uint8)
    b = np.zeros((n, size), np.uint8)
    c[:, 0] = b[:, 0] = 1
    last = np.ones(n, np.uint8)
    degree = np.zeros(n, np.int16)
    logs_s = log[s]
    for k in range(2 * t):
        reach = min(k, t) + 1
        # sum of c_i s_(k-i)
        products = exp[log[c[:, :reach]] + logs_s[:, k - reach + 1 : k + 1][:, ::-1]]
        delta = np.bitwise_xor.reduce(products, axis=1)
        b[:, 1:] = b[:, :-1].copy()
        b[:, 0] = 0
        wrong = delta != 0
        if not wrong.any():
            continue
        factor = (log[delta].astype(np.int32) + 255 - log[last]) % 255
        factor = np.where(wrong, factor, _ZERO).astype(np.int16)
        longer = wrong & (2 * degree <= k)
        new = c ^ exp[factor[:, None] + log[b]]
        if longer.any():
            b[longer] = c[longer]
            last[longer] = delta[longer]
            degree[longer] = k + 1 - degree[longer]
        c = new
    return c, degree


@cache
def _powers() -> NDArray[np.int16]:
    """[k, position]: logarithm of b^(-k position)."""
    return (-np.arange(MAX_T + 1)[:, None] * np.arange(255)[None, :] % 255).astype(np.int16)


@cache
def _lists() -> tuple[list[int], list[int]]:
    log, exp = _field()
    return log.tolist(), exp.tolist()


def _one_by_one(s: Bytes, t: int) -> tuple[Bytes, NDArray[np.int16]]:
    """The same as _berlekamp_massey. A live line brings a word or two at a time: then NumPy's cost per call is several times that of the numbers."""
    log, exp = _lists()
    locators = np.zeros((s.shape[0], 2 * t + 1), np.uint8)
    degrees = np.zeros(s.shape[0], np.int16)
    for row, word in enumerate(s.tolist()):
        logs = [log[v] for v in word]
        c, b = [1], [0, 1]  # b: the locator before the last change of degree, times x since
        degree, last = 0, 0  # last: logarithm of the discrepancy then
        for k in range(2 * t):
            delta = word[k]
            for value, other in zip(c[1:], logs[k - 1 :: -1] if k else (), strict=False):
                if value:
                    delta ^= exp[log[value] + other]
            if delta:
                factor = (log[delta] + 255 - last) % 255
                new = c + [0] * (len(b) - len(c))
                for i, value in enumerate(b):
                    if value:
                        new[i] ^= exp[factor + log[value]]
                if 2 * degree <= k:
                    b, last, degree = c, log[delta], k + 1 - degree
                c = new
            b = [0, *b]
        locators[row, : len(c)] = c[: 2 * t + 1]
        degrees[row] = degree
    return locators, degrees


def encode(data: Bytes, t: int) -> Bytes:
    """(n, k) data bytes -> (n, 2t) check bytes, dual basis. For tests and for the emulated far end; slow and plain on purpose."""
    log, exp = _field()
    to_dual, to_conventional = bases()
    g = np.array([1], np.uint8)
    for j in range(first_root(t), first_root(t) + 2 * t):
        g = np.append(g, 0).astype(np.uint8)
        g[1:] ^= exp[log[g[:-1]] + j % 255]
    register = np.zeros((data.shape[0], 2 * t), np.uint8)
    for column in to_conventional[data].T:
        feedback = column ^ register[:, 0]
        register = np.append(register[:, 1:], np.zeros((data.shape[0], 1), np.uint8), axis=1)
        register ^= exp[log[feedback][:, None] + log[g[1:]][None, :]]
    return to_dual[register]
