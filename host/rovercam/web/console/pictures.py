"""Pictures: the one looked at, sharpening as its packets come, with what is certain of it; a strip of all."""

from __future__ import annotations

import asyncio
import html
from typing import Any

from nicegui import background_tasks, ui

from rovercam.station.pictures import NoPicture
from rovercam.station.updates import PictureChanged
from rovercam.web.console.text import size_text, utc
from rovercam.web.context import Context
from rovercam.web.reads import shares

NAMES = ("nothing", "thumbnail", "base", "refined", "exact")
COLORS = ("var(--red)", "#e88228", "var(--yellow)", "var(--blue)", "var(--ok)")


class PicturePanel:
    def __init__(self, context: Context, page: Any):
        self._context, self._page = context, page
        self._revision = -1
        self.selected: int | None = None
        self._follow = True
        self._shown: tuple[int, int, str] | None = None
        self._thumbs: dict[int, tuple[Any, ...]] = {}
        self._counting = False
        with ui.element("section").classes("rc-panel").style("flex:1.9"):
            with ui.element("div").classes("rc-head"):
                ui.html("<span class=rc-title>Pictures</span>", sanitize=False)
                self._title = ui.html("", sanitize=False).classes("rc-cut")
                self._overlay = (
                    ui.switch("confidence", on_change=self._overlaid).props("dense size=xs").mark("confidence")
                )
                self._open = ui.link("PNG", "#", new_tab=True).classes("chip").style("text-decoration:none")
            with ui.element("div").classes("rc-stage"):
                self._none = ui.label("no picture yet: send capture").classes("dim")
                self._image = ui.element("img").props('id=picture alt="picture"').style("display:none")
                self._mask = ui.element("img").props('alt=""').style("display:none")
            self._bars = ui.html("", sanitize=False).classes("rc-bars")
            self._strip = ui.element("div").classes("rc-strip")

    # ------------------------------------------------------------------------------------------------------- choosing
    def _pictures(self) -> list[PictureChanged]:
        unit = self._page.unit
        found = [p for p in self._context.model.pictures.values() if unit in (None, p.unit)]
        return sorted((p for p in found if p.fields.get("kind", "picture") == "picture"), key=lambda p: p.product)

    def choose(self, product: int | None) -> None:
        self.selected = product
        newest = self._pictures()
        self._follow = not newest or product == newest[-1].product
        self._revision = -1
        self.refresh()

    def step(self, by: int) -> None:
        """The next or the previous one."""
        rows = [p.product for p in self._pictures()]
        if rows:
            at = rows.index(self.selected) if self.selected in rows else len(rows) - 1
            self.choose(rows[max(0, min(len(rows) - 1, at + by))])

    def toggle_confidence(self) -> None:
        self._overlay.value = not self._overlay.value

    def _overlaid(self) -> None:
        self._shown = None
        self._revision = -1
        self.refresh()

    # -------------------------------------------------------------------------------------------------------- drawing
    def refresh(self) -> None:
        revision = self._context.model.revision["pictures"]
        if revision == self._revision:
            return
        self._revision = revision
        pictures = self._pictures()
        rows = {p.product: p for p in pictures}
        if pictures and (self.selected not in rows or self._follow):
            self.selected = pictures[-1].product
        self._draw_strip(pictures)
        picture = rows.get(self.selected) if self.selected is not None else None
        if picture is None:
            self._none.set_visibility(True)
            for element in (self._image, self._mask):
                element.style("display:none")
            self._title.content = self._bars.content = ""
            return
        self._draw(picture)

    def _draw(self, picture: PictureChanged) -> None:
        f = picture.fields
        self._none.set_visibility(not f)
        what = []
        if f:
            what.append(f"{f['camera']} {f['width']}×{f['height']} {f['format']} {f['codec']}")
            taken = f["seconds"] + f.get("fraction", 0.0)
            what.append(utc(taken, date=True) if f["time_status"] == "synchronised" else "unit's clock not set")
        text = html.escape("  ·  ".join(what))
        self._title.content = f"<b>{picture.number}</b> <span class=dim>{text}</span>"
        version = (picture.product, picture.received, picture.state)
        if version != self._shown and f:
            self._shown = version
            address = f"/api/pictures/{picture.product}.png"
            mark = f"v={picture.received}-{picture.state}"
            self._image.props(f'src="{address}?{mark}"').style("display:block")
            self._image.props(f"data-state={picture.state}")
            if self._overlay.value:
                self._mask.props(f'src="{address}?kind=confidence&{mark}"').style("display:block")
            else:
                self._mask.style("display:none")
            self._open.props(f'href="{address}"')
            background_tasks.create(self._count(picture))
        self._progress(picture, None)

    def _progress(self, picture: PictureChanged, counted: list[float] | None) -> None:
        parts = []
        for layer, received, size in picture.layers:
            share = received / size if size else 0.0
            done = " done" if size and received >= size else ""
            parts.append(
                f"<span class=dim>{('thumbnail', 'base')[layer] if layer < 2 else f'layer {layer}'}"
                f"<span class='bar{done}'><i style='width:{min(100.0, share * 100):.0f}%'></i></span>"
                + ("</span>" if done else f"<span class=mono>{share:4.0%}</span></span>")
            )
        state = "complete" if picture.state == "down" else "coming down"
        total = f"{size_text(picture.received)} / {size_text(picture.size)}"
        chip = "ok" if picture.state == "down" else "run"
        sure = ""
        if counted is None:
            counted = self._counted if getattr(self, "_counted_of", None) == picture.product else None
        if counted is not None:
            sure = "<span class=dim>pixels</span> " + " ".join(
                f"<span style='color:{COLORS[i]}'>{counted[i]:.0%} {NAMES[i]}</span>"
                for i in range(5)
                if counted[i] >= 0.005
            )
        self._bars.content = (
            f"<span class='chip {chip}'>{state}</span><span class=mono>{total}</span>{''.join(parts)}"
            f"<span style='margin-left:auto'>{sure}</span>"
        )

    async def _count(self, picture: PictureChanged) -> None:
        """Shares of certainty: needs the picture decoded, so it comes a moment later."""
        if self._counting:
            return
        self._counting = True
        try:
            rendered = await self._context.pictures.rendered(picture.product)
            self._counted, self._counted_of = shares(rendered), picture.product
            if self.selected == picture.product:
                newest = self._context.model.pictures.get(picture.product, picture)
                self._progress(newest, self._counted)
        except (NoPicture, asyncio.CancelledError, RuntimeError):
            pass
        finally:
            self._counting = False

    def _draw_strip(self, pictures: list[PictureChanged]) -> None:
        shown = pictures[-24:][::-1]
        if list(self._thumbs) != [p.product for p in shown]:
            self._strip.clear()
            self._thumbs.clear()
            with self._strip:
                for p in shown:
                    box = ui.element("button").classes("rc-thumb").props(f'title="picture {p.number} of unit {p.unit}"')
                    box.on("click", lambda _, row=p.product: self.choose(row))
                    with box:
                        image = ui.element("img").props('alt=""')
                        bar = ui.element("i")
                        ui.html(f"<span>{p.number}</span>", sanitize=False)
                    self._thumbs[p.product] = (box, image, bar)
        for p in shown:
            box, image, bar = self._thumbs[p.product]
            if p.fields:
                # A thumbnail is made anew for every tenth of the picture, not for every packet.
                tenth = int(10 * p.received / max(1, p.size or 1))
                image.props(f'src="/api/pictures/{p.product}.png?kind=thumbnail&v={tenth}-{p.state}"')
            share = 100 if p.state == "down" else min(99, 100 * p.received // max(1, p.size or 1))
            bar.style(f"width:{share}%")
            box.classes(
                add="on" if p.product == self.selected else "", remove="" if p.product == self.selected else "on"
            )
