"""Routes of pictures, other products, and files on their way."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from fastapi.responses import Response

from rovercam.web.api.answers import ERRORS, Picture, PictureRow, Product, Transfer, TransferAction
from rovercam.web.api.common import Json, Limit, MayCommand, OfUnit, Row, Unit
from rovercam.web.context import Context
from rovercam.web.reads import shares


class Kind(StrEnum):
    full = "full"
    thumbnail = "thumbnail"
    confidence = "confidence"


class Action(StrEnum):
    suspend = "suspend"
    resume = "resume"
    cancel = "cancel"


PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "the picture as far as it is there"}
}


def add(api: FastAPI, context: Context) -> None:
    @api.get("/api/products", tags=["products"], response_model=list[Product])
    async def products(
        unit: OfUnit = None, kind: Annotated[str | None, Query(max_length=20)] = None, limit: Limit = 200
    ) -> Any:
        """Pictures and other products with their layers, newest last."""
        return Json(await context.reads.ask(lambda a: a.products(unit=unit, kind=kind, limit=limit)))

    @api.get("/api/pictures", tags=["products"], response_model=list[PictureRow])
    async def pictures(unit: OfUnit = None, limit: Limit = 200) -> Any:
        """Pictures, newest last."""
        found = await context.reads.ask(lambda a: a.products(unit=unit, kind="picture", limit=limit))
        return Json([p | {"png": f"/api/pictures/{p['id']}.png"} for p in found])

    @api.get("/api/pictures/{picture}.png", tags=["products"], response_class=Response, responses={**ERRORS, **PNG})
    async def picture_file(picture: Row, kind: Kind = Kind.full) -> Response:
        """Full size (16-bit where the picture is), thumbnail, or the confidence as a transparent overlay."""
        data = await context.pictures.png(picture, kind.value)
        return Response(data, media_type="image/png", headers={"cache-control": "no-cache"})

    @api.get("/api/pictures/{picture}", tags=["products"], response_model=Picture)
    async def picture(picture: Row) -> Any:
        """The catalogue entry, and which share of the pixels is how certain."""
        rendered = await context.pictures.rendered(picture)
        names = ("nothing", "thumbnail", "base", "refined", "exact")
        return Json(
            {
                "id": picture,
                "complete": rendered.complete,
                "fields": dict(rendered.fields),
                "confidence": dict(zip(names, shares(rendered), strict=True)),
            }
        )

    @api.get("/api/transfers", tags=["products"], response_model=list[Transfer])
    async def transfers(
        unit: OfUnit = None, status: Annotated[str | None, Query(max_length=20)] = None, limit: Limit = 200
    ) -> Any:
        """Files on their way and arrived, newest last."""
        found = await context.reads.ask(lambda a: a.transfers(unit=unit, status=status, limit=limit))
        return Json([{k: v for k, v in t.items() if k != "state"} for t in found])

    @api.post(
        "/api/transfers/{source}/{number}/{action}",
        tags=["products"],
        dependencies=[MayCommand],
        response_model=TransferAction,
    )
    async def transfer(source: Unit, number: Annotated[int, Path(ge=0, le=0xFFFFFFFF)], action: Action) -> Any:
        """Suspend, resume or cancel; source: entity that sends the file (the unit's id, 0 for the ground)."""
        context.transfer(action.value, source, number)
        return Json({"source": source, "number": number, "action": action.value})
