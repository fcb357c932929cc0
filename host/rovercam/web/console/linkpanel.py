"""The link of the unit, files on their way, and the product catalogue."""

from __future__ import annotations

import html
from typing import Any

from nicegui import events, ui

from rovercam.station.core import StationError
from rovercam.station.updates import TransferChanged
from rovercam.web.console.planning import PlanningTabs
from rovercam.web.console.text import age_text, size_text, utc
from rovercam.web.context import Context

INTERVAL = 0.8
GOOD_COP1 = ("active",)
PRODUCT_ROW = """
<q-tr :props="props" @click="$parent.$emit('choose', props.row.id)">
  <q-td v-for="col in props.cols" :key="col.name" :props="props" :class="col.name == 'what' ? '' : 'mono dim'">{{ col.value }}</q-td>
</q-tr>
"""


class LinkPanel:
    def __init__(self, context: Context, page: Any, may_command: bool):
        self._context, self._page, self._may = context, page, may_command
        self._planning = planning = PlanningTabs(context, page, may_command)
        self._drawn = 0.0
        self._revisions: tuple[int, ...] = ()
        self._rate = (0.0, 0, 0.0)
        with ui.element("section").classes("rc-panel").style("flex:1"):
            with ui.element("div").classes("rc-head").style("padding:0 6px"):
                with ui.tabs().props("dense no-caps align=left inline-label indicator-color=deep-orange-5") as tabs:
                    names = ("Link", "Transfers", "Products", "Passes", "Schedule", "Map")
                    link, files, products, passes, schedule, place = (ui.tab(n) for n in names)
                ui.element("div").classes("rc-grow")
                self._insecure = ui.html("", sanitize=False)
            with ui.tab_panels(tabs, value=link, animated=False).classes("rc-body").style("padding:8px 10px"):
                with ui.tab_panel(link):
                    self._link = ui.html("", sanitize=False).classes("rc-kv").mark("link")
                with ui.tab_panel(files):
                    self._files = ui.element("div").style("width:100%")
                for tab, fill in ((passes, planning.passes), (schedule, planning.schedule), (place, planning.map)):
                    with ui.tab_panel(tab):
                        fill()
                with ui.tab_panel(products):
                    columns = [
                        {"name": n, "label": label, "field": n, "align": "left"}
                        for n, label in (
                            ("number", "no."), ("taken", "taken (UTC)"), ("what", "what"), ("priority", "prio"), ("down", "down"), ("state", "state"),
                        )
                    ]  # fmt: skip
                    self._products = ui.table(columns=columns, rows=[], row_key="id", pagination=0)
                    self._products.props("dense flat hide-bottom").classes("w-full")
                    self._products.add_slot("body", PRODUCT_ROW)
                    self._products.on("choose", self._chosen)

    def _chosen(self, event: events.GenericEventArguments) -> None:
        self._page.pictures.choose(int(event.args))

    def refresh(self) -> None:
        now = self._context.now()
        if now - self._drawn < INTERVAL:
            return
        self._drawn = now
        self._planning.refresh()
        self._draw_link(now)
        model = self._context.model
        revisions = (model.revision["transfers"], model.revision["pictures"], self._page.unit or 0)
        if revisions != self._revisions:
            self._revisions = revisions
            self._draw_files()
            self._draw_products()

    def _draw_link(self, now: float) -> None:
        rows: list[tuple[str, str]] = []
        unit = self._page.unit
        self._insecure.content = ""
        try:
            link = self._context.station.link(unit) if unit is not None else None
        except StationError:
            link = None
        if link is None:
            rows.append(("unit", "<span class='chip warn'>not heard since the station began</span>"))
        else:
            quiet = now - link.heard
            kind = "ok" if quiet < 10 else "warn" if quiet < 60 else "bad"
            rows.append(
                ("heard", f"<span class='chip {kind}'>{age_text(quiet)} ago</span> on {html.escape(link.port)}")
            )
            rows.append(("profile", html.escape(link.profile)))
            lost = f"<span class='{'st-yellow' if link.lost else ''}'>{link.lost} lost</span>"
            rows.append(("frames", f"{link.frames} taken, {lost}, {link.duplicates} twice"))
            rows.append(("corrected", f"{link.corrected} symbols; {size_text(link.discarded)} discarded"))
            if link.insecure:
                self._insecure.content = "<span class='chip bad'>INSECURE: no authentication</span>"
            up = link.uplink
            auth = "<span class='chip bad'>off</span>" if link.insecure else "<span class='chip ok'>HMAC-SHA-256</span>"
            if up:
                state = str(up.get("cop1", "")).replace("_", " ")
                kind = "ok" if up.get("cop1") in GOOD_COP1 else "warn"
                rows.append(
                    ("COP-1", f"<span class='chip {kind}'>{html.escape(state)}</span> {up.get('waiting', 0)} waiting")
                )
                if "unit" in up:
                    good = up["unit"] == "ready"
                    rows.append(
                        (
                            "unit says",
                            f"<span class='chip {'ok' if good else 'warn'}'>{html.escape(str(up['unit']))}</span>",
                        )
                    )
                auth += f" number {up.get('number', 0)}"
            else:
                auth += " <span class=dim>no command was sent yet</span>"
            rows.append(("authentication", auth))
        for port, (state, text) in self._context.model.ports.items():
            kind = {"open": "ok", "lost": "bad", "failed": "bad"}.get(state, "warn")
            rows.append(
                (
                    f"port {html.escape(port)}",
                    f"<span class='chip {kind}'>{html.escape(state)}</span> {html.escape(text[:120])}",
                )
            )
        content = "".join(f"<span>{k}</span><span>{v}</span>" for k, v in rows)
        if content != self._link.content:
            self._link.content = content

    def _draw_files(self) -> None:
        unit = self._page.unit
        found = [t for t in self._context.model.transfers.values() if unit in (None, t.unit)]
        found.sort(key=lambda t: (t.status not in ("active", "suspended"), -t.transfer))
        self._files.clear()
        with self._files:
            if not found:
                ui.label("no file yet").classes("dim")
            for t in found[:30]:
                self._file(t)

    def _file(self, t: TransferChanged) -> None:
        share = t.received / t.size if t.size else 0.0
        done = " done" if t.status == "finished" else ""
        kind = {"finished": "ok", "cancelled": "bad", "suspended": "warn"}.get(t.status, "run")
        with ui.element("div").style("display:flex; align-items:center; gap:8px; height:24px"):
            ui.html(
                f"<span class=mono>{'↓' if t.direction == 'down' else '↑'} {html.escape(t.name or '?')}</span>"
                f"<span class='bar wide{done}'><i style='width:{min(100, share * 100):.0f}%'></i></span>"
                f"<span class='mono dim'>{size_text(t.received)} / {size_text(t.size)}</span> <span class='chip {kind}'>{t.status}</span>",
                sanitize=False,
            )
            if self._may and t.status in ("active", "suspended"):
                word = "resume" if t.status == "suspended" else "suspend"
                ui.button(word, on_click=lambda _, t=t, w=word: self._act(w, t)).props("dense flat size=xs no-caps")
                ui.button("cancel", on_click=lambda _, t=t: self._act("cancel", t)).props(
                    "dense flat size=xs no-caps color=red-4"
                )

    def _act(self, action: str, t: TransferChanged) -> None:
        """Of this end by the file transfer entity, of the unit's end by a command."""
        try:
            if t.direction == "down":
                self._context.send(t.unit, f"{action}_transfer", {"transfer": t.number}, self._context.sender)
            else:
                self._context.transfer(action, 0, t.number)
        except ValueError as error:
            ui.notify(str(error), type="warning")
        except StationError as error:
            ui.notify(str(error), type="warning")

    def _draw_products(self) -> None:
        unit = self._page.unit
        found = sorted(
            (p for p in self._context.model.pictures.values() if unit in (None, p.unit)), key=lambda p: -p.product
        )
        rows = []
        for p in found:
            f = p.fields
            share = 1.0 if p.state == "down" else p.received / p.size if p.size else 0.0
            rows.append(
                {
                    "id": p.product,
                    "number": p.number,
                    "taken": utc(f["seconds"], date=True) if f.get("time_status") == "synchronised" else "",
                    "what": f"{f['kind']} {f['camera']} {f['width']}×{f['height']} {f['codec']}"
                    if f
                    else "not known yet",
                    "priority": f.get("priority", ""),
                    "down": f"{share:.0%} of {size_text(p.size)}",
                    "state": p.state.replace("_", " "),
                }
            )
        self._products.rows = rows
