"""`rovercam bench image`: rate and distortion, loss and speed beside JPEG, JPEG 2000, JPEG XL, JPEG-LS (imagecodecs).

Ours is what the firmware encodes (MicroPython's unix port) and the host rebuilds; all sizes are gross: thumbnail, headers and
padding included. Peers are given their rate by bisection over their quality setting.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rovercam.protocol.imaging import Progressive

from rovercam_hil.image_encoder import ImageEncoder

RATES = (0.25, 0.5, 1.0, 2.0)
LOSSES = (0.0, 0.01, 0.05, 0.2)
SLOT = 200


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


def slots(layers: Iterable[bytes]) -> list[bytes]:
    return [d[i : i + SLOT] for d in layers for i in range(0, len(d), SLOT)]


def rebuild(some: Iterable[bytes]) -> np.ndarray:
    p = Progressive()
    for s in some:
        p.add(-1, s)
    return p.picture()


def _bisect(make: Callable[[float], bytes], low: float, high: float, target: float) -> bytes:
    # the largest coding not above the target size
    best = make(low)
    for _ in range(12):
        mid = (low + high) / 2
        data = make(mid)
        if len(data) <= target:
            low, best = mid, data
        else:
            high = mid
    return best


def peers() -> dict[str, tuple[Callable[[np.ndarray, float], bytes], Callable[[bytes], np.ndarray]]]:
    """Name -> (encode to at most so many bytes, decode), of the codecs that are installed."""
    try:
        import imagecodecs as ic
    except ImportError:
        return {}
    found: dict[str, tuple[Callable[[np.ndarray, float], bytes], Callable[[bytes], np.ndarray]]] = {}

    def jpeg(p: np.ndarray, size: float) -> bytes:
        return _bisect(lambda q: bytes(ic.jpeg8_encode(p, level=round(q), optimize=True)), 1, 100, size)

    def jpeg2000(p: np.ndarray, size: float) -> bytes:
        return _bisect(lambda q: bytes(ic.jpeg2k_encode(p, level=round(q), reversible=False)), 20, 60, size)

    def jpegxl(p: np.ndarray, size: float) -> bytes:
        return _bisect(lambda q: bytes(ic.jpegxl_encode(p, distance=25 - q, effort=7)), 0.5, 24.9, size)

    for name, encode, decode, there in (
        ("JPEG", jpeg, ic.jpeg8_decode, "JPEG8"),
        ("JPEG 2000", jpeg2000, ic.jpeg2k_decode, "JPEG2K"),
        ("JPEG XL", jpegxl, ic.jpegxl_decode, "JPEGXL"),
    ):
        if getattr(getattr(ic, there, None), "available", False):
            found[name] = (encode, decode)
    return found


def lossless_peers() -> dict[str, Callable[[np.ndarray], bytes]]:
    """Name -> lossless encode, of the codecs that are installed."""
    try:
        import imagecodecs as ic
    except ImportError:
        return {}
    every: dict[str, tuple[str, Callable[..., Any]]] = {
        "PNG": ("PNG", lambda p: ic.png_encode(p, level=9)),
        "JPEG-LS": ("JPEGLS", ic.jpegls_encode),
        "JPEG 2000": ("JPEG2K", lambda p: ic.jpeg2k_encode(p, level=0, reversible=True)),
        "JPEG XL": ("JPEGXL", lambda p: ic.jpegxl_encode(p, lossless=True, effort=7)),
    }
    return {n: f for n, (there, f) in every.items() if getattr(getattr(ic, there, None), "available", False)}


def load(folder: Path, *, square: bool = False) -> dict[str, np.ndarray]:
    """Grey 8-bit pictures of a folder."""
    from PIL import Image

    out = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in (".png", ".tif", ".tiff", ".pgm", ".bmp", ".jpg"):
            with Image.open(file) as image:
                picture = np.array(image.convert("L"))
            if not square or picture.shape[0] == picture.shape[1]:
                out[file.stem] = picture
    return out


def run(
    pictures: dict[str, np.ndarray], *, with_peers: bool = True, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """All tables over the pictures: PSNR by rate, PSNR by loss at 0.93 bpp, lossless rate, first picture, speed."""
    rate: dict[str, dict[float, list[float]]] = {
        "rovercam": {r: [] for r in RATES},
        "rovercam, gross bpp": {r: [] for r in RATES},
    }
    loss: dict[str, dict[float, list[float]]] = {"rovercam": {x: [] for x in LOSSES}}
    lossless: dict[str, list[float]] = {"rovercam": []}
    first: list[dict[str, float]] = []
    speed: dict[str, list[float]] = {"encode Mpixel/s": [], "lossless encode Mpixel/s": [], "lossless decode s": []}
    codecs = peers() if with_peers else {}
    with ImageEncoder() as encoder:
        rebuild(slots(encoder.slots(np.zeros((16, 16), np.uint8))))  # warm-up: compilation
        for name, p in pictures.items():
            progress(name)
            for r in RATES:
                layers = encoder.slots(p, budget=int(p.size * r / 8), survey=True)
                rate["rovercam"][r].append(psnr(rebuild(slots(layers)), p))
                rate["rovercam, gross bpp"][r].append(8 * sum(map(len, layers)) / p.size)
            start = time.perf_counter()
            encoder.slots(p, budget=p.size // 8, repeat=3)
            speed["encode Mpixel/s"].append(3 * p.size / (time.perf_counter() - start) / 1e6)
            for x in LOSSES:
                values = []
                kept = slots(encoder.slots(p, budget=int(p.size * 0.93 / 8), survey=True))
                for seed in range(3 if x else 1):
                    draw = random.Random(seed)
                    values.append(psnr(rebuild(s for s in kept if draw.random() >= x), p))
                loss["rovercam"][x].append(float(np.mean(values)))
            start = time.perf_counter()
            layers = encoder.slots(p, budget=p.size // 8, refine=2)
            speed["lossless encode Mpixel/s"].append(p.size / (time.perf_counter() - start) / 1e6)
            lossless["rovercam"].append(8 * sum(map(len, layers)) / p.size)
            every = slots(layers)
            start = time.perf_counter()
            whole = rebuild(every)
            speed["lossless decode s"].append(time.perf_counter() - start)
            assert np.array_equal(whole, p), f"{name}: not lossless"
            thumbnail = slots(layers[:1])
            first.append({"bytes": SLOT * len(thumbnail), "ssim": _view(rebuild(thumbnail), p)})
            for peer, (encode, decode) in codecs.items():
                for r in RATES:
                    coded = encode(p, p.size * r / 8)
                    rate.setdefault(peer, {x: [] for x in RATES})[r].append(psnr(decode(coded), p))
            if with_peers:
                for peer, pack in lossless_peers().items():
                    lossless.setdefault(peer, []).append(8 * len(pack(p)) / p.size)

    def means(table: dict[str, dict[float, list[float]]]) -> dict[str, dict[str, float]]:
        return {n: {str(k): round(float(np.mean(v)), 3) for k, v in row.items()} for n, row in table.items()}

    return {
        "pictures": list(pictures),
        "psnr_by_bpp": means(rate),
        "psnr_by_loss_at_0.93_bpp": means(loss),
        "lossless_bpp": {n: round(float(np.mean(v)), 3) for n, v in lossless.items()},
        "first_picture": first,
        "speed": {n: round(float(np.mean(v)), 3) for n, v in speed.items()},
    }


def _view(a: np.ndarray, b: np.ndarray) -> float:
    # SSIM at the size the thumbnail is looked at: a quarter of the picture's
    def small(x: np.ndarray) -> np.ndarray:
        h, w = x.shape[0] // 4 * 4, x.shape[1] // 4 * 4
        return x[:h, :w].reshape(h // 4, 4, w // 4, 4).mean((1, 3))

    return round(ssim(small(a), small(b)), 3)


def text(result: dict[str, Any]) -> str:
    """The tables for a terminal."""
    lines = [f"{len(result['pictures'])} pictures: {', '.join(result['pictures'])}"]
    for title in ("psnr_by_bpp", "psnr_by_loss_at_0.93_bpp"):
        lines.append(title.replace("_", " "))
        for name, row in result[title].items():
            lines.append(f"  {name:22}" + "".join(f"{k:>7}: {v:<8}" for k, v in row.items()))
    lines.append("lossless bits per pixel: " + ", ".join(f"{n} {v}" for n, v in result["lossless_bpp"].items()))
    lines.append("first picture: " + ", ".join(f"{f['bytes']} bytes SSIM {f['ssim']}" for f in result["first_picture"]))
    lines.append("speed: " + ", ".join(f"{n} {v}" for n, v in result["speed"].items()))
    return "\n".join(lines)


def plot(result: dict[str, Any], file: Path) -> None:
    """Rate and distortion as an SVG."""
    rows = {n: r for n, r in result["psnr_by_bpp"].items() if "gross" not in n}
    values = [v for r in rows.values() for v in r.values()]
    low, high = min(values) - 1, max(values) + 1

    def place(rate: str, value: float) -> str:
        return f"{60 + 540 * (np.log2(float(rate)) + 2) / 3:.1f},{380 - 340 * (value - low) / (high - low):.1f}"

    colours = ("#c1440e", "#456990", "#6b8f3c", "#8a5a9e")
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="760" height="420" font-family="sans-serif" font-size="12">'
    ]
    parts.append('<rect width="760" height="420" fill="white"/>')
    for r in RATES:
        x = place(str(r), low).split(",")[0]
        parts.append(f'<text x="{x}" y="400" text-anchor="middle">{r} bpp</text>')
    for v in range(int(low) + 1, int(high) + 1, 2):
        y = place("1", v).split(",")[1]
        parts.append(f'<line x1="60" x2="600" y1="{y}" y2="{y}" stroke="#ddd"/><text x="20" y="{y}">{v} dB</text>')
    for i, (name, row) in enumerate(rows.items()):
        points = " ".join(place(k, v) for k, v in row.items())
        parts.append(f'<polyline fill="none" stroke="{colours[i % 4]}" stroke-width="2" points="{points}"/>')
        parts.append(f'<text x="615" y="{60 + 20 * i}" fill="{colours[i % 4]}">{name}</text>')
    file.write_text("\n".join([*parts, "</svg>"]) + "\n", "utf-8")
