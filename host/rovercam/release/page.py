"""The press page of a set of pictures: one HTML file beside the pictures' folders, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from rovercam.marstime import clock
from rovercam.release.metadata import exposure_text, utc
from rovercam.release.subject import Subject, direction

if TYPE_CHECKING:
    from rovercam.release.publish import Order

STYLE = """
:root{--ink:#1d1a17;--soft:#6b625a;--line:#e3dcd3;--paper:#fbf9f6;--mars:#a8431d}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 Georgia,"Times New Roman",serif}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 28px}
header{padding-top:56px;padding-bottom:8px}
h1{font-size:44px;line-height:1.12;margin:0 0 14px;letter-spacing:-.01em;font-weight:600}
h2{font-size:24px;line-height:1.25;margin:0 0 8px;font-weight:600}
.lead{font-size:20px;max-width:44em;margin:0 0 10px}
.sans,dl,.get,.credit,footer,nav,.date{font-family:system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
.date{font-size:13px;letter-spacing:.06em;text-transform:uppercase;color:var(--mars);margin:0 0 14px}
figure{margin:0}
figure img{display:block;width:100%;height:auto;background:#000}
.wide{margin:34px 0 46px}
.wide .band{margin:0 calc(50% - 50vw) 18px;background:#14110f;padding:0 max(0px,calc(50vw - 960px))}
.wide p{margin:0 0 12px}.wide p:not(.get){max-width:44em}
.small{image-rendering:pixelated}
nav{display:flex;flex-wrap:wrap;gap:8px;padding-top:14px}
nav a{display:block;height:64px;border-radius:3px;overflow:hidden;opacity:.92}nav a:hover,nav a:focus-visible{opacity:1;outline:2px solid var(--mars)}
nav img{display:block;height:100%;width:auto;max-width:220px;object-fit:cover}
article{display:grid;grid-template-columns:minmax(0,7fr) minmax(0,5fr);gap:34px;padding:34px 0;border-top:1px solid var(--line)}
article p{margin:0 0 12px}
.credit{font-size:13px;color:var(--soft);margin:8px 0 0}
dl{display:grid;grid-template-columns:auto 1fr;gap:3px 16px;font-size:14px;margin:14px 0}
dt{color:var(--soft)}dd{margin:0}
.get{font-size:14px;margin:14px 0 0;display:flex;flex-wrap:wrap;gap:8px}
.get a{color:var(--mars);text-decoration:none;border:1px solid #d9b9aa;border-radius:3px;padding:4px 10px;white-space:nowrap}
.get a:hover,.get a:focus-visible{background:var(--mars);color:#fff}
.partial{color:var(--mars)}
footer{border-top:1px solid var(--line);margin-top:26px;padding-top:22px;padding-bottom:60px;font-size:14px;color:var(--soft)}
footer a{color:inherit}
code{font-size:12px;overflow-wrap:anywhere}
@media(max-width:820px){article{grid-template-columns:1fr;gap:16px}h1{font-size:34px}header{padding-top:34px}main,header,footer{padding-left:18px;padding-right:18px}
.wide .band{overflow-x:auto}.wide .band img{height:300px;width:auto;max-width:none}}
@media print{.get,nav{display:none}article{break-inside:avoid}}
"""
INDEX_FROM = 5
"""Pictures from which on the page begins with a strip of them all."""
MAGNIFIED = 4
"""A small picture is shown at most so many times its size, its pixels as squares."""
COLUMN = 640
NAMES = {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF", "label": "PDS4 label", "array": "PDS4 data"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    subject: Subject
    files: Mapping[str, str]
    """Kind → path beside the page."""
    sizes: Mapping[str, int]
    """Path → bytes."""


def page(items: Sequence[Item], order: Order, software: str) -> str:
    """The page as HTML 5."""
    parts = [
        _wide(i, order, first) if i.subject.extra else _article(i, order, first)
        for i, first in zip(items, (True, *(False for _ in items[1:])), strict=True)
    ]
    body = "\n".join(parts)
    index = _index(items) if len(items) >= INDEX_FROM else ""
    first, last = min(i.subject.first_time for i in items), max(i.subject.time for i in items)
    days = utc(first).strftime("%-d %B %Y")
    if utc(first).date() != utc(last).date():
        days += utc(last).strftime(" to %-d %B %Y")
    sols = [i.subject.moment.sol for i in items if i.subject.moment]
    if sols:
        days += f" · sol {min(sols)}" if min(sols) == max(sols) else f" · sols {min(sols)} to {max(sols)}"
    lead = f'<p class="lead">{escape(order.introduction)}</p>' if order.introduction else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(order.title)}</title><meta name="description" content="{escape(order.introduction or order.title)}">
<meta property="og:title" content="{escape(order.title)}"><meta property="og:image" content="{escape(items[0].files["thumb"])}">
<link rel="icon" href="data:,"><style>{STYLE}</style></head>
<body><header><p class="date">{escape(days)}</p><h1>{escape(order.title)}</h1>{lead}{index}</header>
<main>
{body}
</main>
<footer><p><b>Use.</b> Please name the source with every picture: {escape(order.credit)}.</p>
<p><b>Where each picture comes from.</b> <a href="provenance.json">provenance.json</a> names, for every picture, the files as they
came from the unit, the transfer frames that carried them and their SHA-256; <a href="SHA256SUMS">SHA256SUMS</a> lets you check
what you downloaded; texts are in <a href="captions.json">captions.json</a>. Times are UTC. Made by {escape(software)}.</p></footer>
</body></html>
"""


def _index(items: Sequence[Item]) -> str:
    """All pictures small, to jump to."""
    links = "".join(
        f'<a href="#{escape(i.subject.name)}" title="{escape(i.subject.title)}"><img src="{escape(i.files["thumb"])}"'
        f' alt="{escape(i.subject.title)}" loading="lazy"></a>'
        for i in items
    )
    return f"<nav>{links}</nav>"


def _article(item: Item, order: Order, first: bool) -> str:
    s = item.subject
    return f"""<article id="{escape(s.name)}">
<figure>{_image(item, first)}<figcaption class="credit">{escape(order.credit)}</figcaption></figure>
<div><h2>{escape(s.title)}</h2><p>{escape(s.caption)}</p>{_facts(s)}{_downloads(item)}</div></article>"""


def _wide(item: Item, order: Order, first: bool) -> str:
    s = item.subject
    return f"""<section class="wide" id="{escape(s.name)}"><figure><div class="band">{_image(item, first)}</div></figure>
<h2>{escape(s.title)}</h2><p>{escape(s.caption)}</p><p class="credit">{escape(order.credit)}</p>{_downloads(item)}</section>"""


def _image(item: Item, first: bool) -> str:
    s = item.subject
    height, width = s.pixels.shape[:2]
    small = f' class="small" style="max-width:{MAGNIFIED * width}px"' if MAGNIFIED * width < COLUMN else ""
    later = "" if first else ' loading="lazy"'
    return (
        f'<a href="{escape(item.files["jpeg"])}"><img src="{escape(item.files["thumb"])}" alt="{escape(s.alt)}" width="{width}"'
        f' height="{height}"{small}{later}></a>'
    )


def _facts(s: Subject) -> str:
    rows = [("Taken", utc(s.time).strftime("%-d %B %Y, %H:%M:%S UTC") + ("" if s.time_from_unit else " (received)"))]
    if s.moment is not None:
        rows.append(("On Mars", f"sol {s.moment.sol}, {clock(s.moment.lmst)} mean solar time"))
    rows.append(("Camera", f"{s.model.title}, {exposure_text(s)}"))
    if looked := direction(s.pan, s.tilt):
        rows.append(("Direction", looked.removeprefix("looking ")))
    height, width = s.pixels.shape[:2]
    rows.append(("Picture", f"{width} × {height}, {'colour' if s.colour else 'grey'}, {s.depth} bits"))
    if not s.complete:
        rows.append(("State", "not complete yet"))
    return "<dl>" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in rows) + "</dl>"


def _downloads(item: Item) -> str:
    links = []
    for kind, name in NAMES.items():
        path = item.files[kind]
        bits = " 16-bit" if kind in ("png", "tiff") and item.subject.pixels.itemsize == 2 else ""
        links.append(f'<a href="{escape(path)}" download>{name}{bits} · {_size(item.sizes[path])}</a>')
    return f'<p class="get">{"".join(links)}</p>'


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 950_000 else f"{max(1, round(count / 1e3))} kB"
