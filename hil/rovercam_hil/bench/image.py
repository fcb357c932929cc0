"""`rovercam bench image`: rate and distortion, loss and speed beside JPEG, JPEG 2000, JPEG XL, JPEG-LS on any folder.

Ours is what the firmware encodes (MicroPython's unix port) and the host rebuilds. All sizes are gross: thumbnail, headers
and padding included. Peers get their rate by bisection over their quality setting.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rovercam.protocol.imaging import SLOT, Progressive, split

from rovercam_hil.bench import image_first, image_peers
from rovercam_hil.image_encoder import BoardEncoder, ImageEncoder
from rovercam_hil.micropython.worker import MicroPythonError

RATES = (0.25, 0.5, 1.0, 2.0)
LOSSES = (0.0, 0.01, 0.05, 0.2)
LOSS_RATE = 0.93  # bits per pixel of the streams that packets are taken from
SEEDS = 3  # draws of each loss
OURS = "rovercam"
ONE_PASS = "rovercam, one look"
ENDINGS = (".png", ".tif", ".tiff", ".pgm", ".bmp", ".jpg", ".jpeg")
VGA = (480, 640)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """dB for 8-bit pictures; 99 when equal."""
    e = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 99.0 if e == 0 else float(10 * np.log10(255**2 / e))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean SSIM over 8x8 windows (all positions), usual constants, 8 bits."""

    def mean(x: np.ndarray) -> np.ndarray:
        s = np.pad(np.cumsum(np.cumsum(x, 0), 1), ((1, 0), (1, 0)))
        return (s[8:, 8:] - s[:-8, 8:] - s[8:, :-8] + s[:-8, :-8]) / 64

    x, y = a.astype(np.float64), b.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, c = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * c + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def view_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM at the size a first picture is looked at: a quarter of the picture's, each way."""

    def small(x: np.ndarray) -> np.ndarray:
        h, w = x.shape[0] // 4 * 4, x.shape[1] // 4 * 4
        return x[:h, :w].reshape(h // 4, 4, w // 4, 4).mean((1, 3))

    return ssim(small(a), small(b))


def slots(layers: Iterable[bytes]) -> list[bytes]:
    """The layers' files cut into slots."""
    return [s for d in layers for s in split(d)]


def rebuild(some: Iterable[bytes]) -> np.ndarray:
    """The host's picture of these slots."""
    p = Progressive()
    for s in some:
        p.add(-1, s)
    return p.picture()


def load(folder: Path) -> dict[str, np.ndarray]:
    """Grey 8-bit pictures of a folder by name, those of 8 to 2048 pixels a side."""
    from PIL import Image

    out = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in ENDINGS:
            with Image.open(file) as image:
                picture = np.array(image.convert("L"))
            if min(picture.shape) >= 8 and max(picture.shape) <= 2048:
                out[file.stem] = picture
    return out


Table = dict[str, dict[float, list[float]]]  # codec -> rate or share lost -> one value per picture


@dataclass
class Result:
    """One value per picture everywhere; none where a picture is too small for the rate."""

    pictures: list[str] = field(default_factory=list)
    psnr: Table = field(default_factory=dict)
    """dB by bits per pixel asked for."""
    gross: Table = field(default_factory=dict)
    """Bits per pixel that were really used."""
    loss: Table = field(default_factory=dict)
    """dB by share of 200-byte packets lost, at LOSS_RATE."""
    lossless: dict[str, list[float]] = field(default_factory=dict)
    """Bits per pixel; only where the decoded picture was equal."""
    encode: dict[str, list[float]] = field(default_factory=dict)
    """Mpixel per processor second on this machine; `on board` is the emulated Pico's, per second of its own time."""
    decode: dict[str, list[float]] = field(default_factory=dict)
    """Seconds for one lossless picture on this machine, after a warm-up."""
    first: list[tuple[int, float]] = field(default_factory=list)
    """Bytes of the thumbnail layer, and SSIM of its picture against the full one at view size."""
    first_seconds: dict[str, list[float]] = field(default_factory=dict)
    """Until the whole field is seen at 9600 baud (bench.image_first)."""

    def add(self, table: Table, codec: str, key: float, value: float) -> None:
        table.setdefault(codec, {}).setdefault(key, []).append(value)


class _Clock:
    """``seconds`` on the clock, ``processor`` seconds of this process."""

    def __enter__(self) -> _Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exc: object) -> None:
        self.seconds = time.perf_counter() - self._start[0]
        self.processor = time.process_time() - self._start[1]


def _processor(p: np.ndarray, repeat: int, **how: Any) -> float:
    """Processor seconds of a MicroPython of its own that codes a picture so many times, its start included."""
    import resource  # where there is a unix port, there is this

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with ImageEncoder() as encoder:
        encoder.slots(p, repeat=repeat, **how)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _speed(p: np.ndarray, **how: Any) -> float:
    """Mpixel per processor second, by the difference between one and four pictures."""
    seconds = _processor(p, 4, **how) - _processor(p, 1, **how)
    return 3 * p.size / max(seconds, 1e-3) / 1e6


def run(
    pictures: dict[str, np.ndarray],
    *,
    peers: bool = True,
    on_board: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """All tables over the pictures; on_board: also time pictures up to VGA on the emulated Pico (minutes each).

    Raises MicroPythonMissing where there is no unix port.
    """
    result = Result(list(pictures))
    with ImageEncoder() as encoder, image_first.OwnLine() as line:
        rebuild(slots(encoder.slots(np.zeros((16, 16), np.uint8), refine=2)))  # compiled here, not in the measurement
        for name, picture in pictures.items():
            progress(name)
            _ours(result, encoder, picture, line)
            if peers:
                _peers(result, picture)
            if on_board and picture.size <= VGA[0] * VGA[1]:
                _on_board(result, picture)
    return result


def _ours(result: Result, encoder: ImageEncoder, p: np.ndarray, line: image_first.OwnLine) -> None:
    for rate in RATES:
        for codec, survey in ((OURS, True), (ONE_PASS, False)):
            try:
                layers = encoder.slots(p, budget=int(p.size * rate / 8), survey=survey)
            except MicroPythonError as error:
                if error.kind != "ValueError":
                    raise
                continue  # a small picture's thumbnail alone is more
            result.add(result.psnr, codec, rate, psnr(rebuild(slots(layers)), p))
            result.add(result.gross, codec, rate, 8 * sum(map(len, layers)) / p.size)
    result.encode.setdefault("rovercam, 1 bpp", []).append(_speed(p, budget=p.size // 8))
    whole = slots(encoder.slots(p, budget=int(p.size * LOSS_RATE / 8), survey=True))
    for share in LOSSES:
        values = []
        for seed in range(SEEDS if share else 1):
            draw = random.Random(seed)
            values.append(psnr(rebuild(s for s in whole if draw.random() >= share), p))
        result.add(result.loss, OURS, share, float(np.mean(values)))
    layers = encoder.slots(p, quality=64, refine=2)
    result.encode.setdefault("rovercam, lossless", []).append(_speed(p, quality=64, refine=2))
    with _Clock() as clock:
        got = rebuild(slots(layers))
    result.decode.setdefault(OURS, []).append(clock.seconds)
    if np.array_equal(got, p):
        result.lossless.setdefault(OURS, []).append(8 * sum(map(len, layers)) / p.size)
    thumbnail = slots(layers[:1])
    result.first.append((SLOT * len(thumbnail), view_ssim(rebuild(thumbnail), p)))
    for name, profile in image_first.PROFILES.items():
        sent = image_first.seconds(line.count(b"".join(layers[:1]), profile))
        result.first_seconds.setdefault(f"{OURS}, {name}", []).append(sent)


def _peers(result: Result, p: np.ndarray) -> None:
    for name, part in zip(("JPEG by zmodem", "progressive JPEG by zmodem"), image_first.jpegs(p), strict=True):
        sent = image_first.zmodem(part)
        if sent is not None:
            result.first_seconds.setdefault(name, []).append(image_first.seconds(sent))
    for name, codec in image_peers.lossy().items():
        for rate in RATES:
            data = codec.encode(p, p.size * rate / 8)
            result.add(result.psnr, name, rate, psnr(codec.decode(data), p))
            result.add(result.gross, name, rate, 8 * len(data) / p.size)
        data = codec.encode(p, p.size * LOSS_RATE / 8)
        for share in LOSSES:
            draws = range(SEEDS if share else 1)
            values = [psnr(image_peers.with_losses(codec, data, share, SLOT, seed, p), p) for seed in draws]
            result.add(result.loss, name, share, float(np.mean(values)))
    for name, pack in image_peers.lossless().items():
        with _Clock() as clock:
            data = pack.encode(p)
        result.encode.setdefault(f"{name}, lossless", []).append(p.size / clock.processor / 1e6)
        with _Clock() as clock:
            got = pack.decode(data)
        result.decode.setdefault(name, []).append(clock.seconds)
        if np.array_equal(got, p):
            result.lossless.setdefault(name, []).append(8 * len(data) / p.size)


def _on_board(result: Result, p: np.ndarray) -> None:
    with BoardEncoder() as board:
        board.slots(p, budget=p.size // 8)
        result.encode.setdefault("on board, 1 bpp", []).append(p.size / board.seconds / 1e6)
        board.slots(p, quality=64, refine=2)
        result.encode.setdefault("on board, lossless", []).append(p.size / board.seconds / 1e6)
