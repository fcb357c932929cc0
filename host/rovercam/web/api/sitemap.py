"""Routes of the view from orbit that the traverse is drawn on."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from rovercam.web.api.answers import ERRORS, Map
from rovercam.web.api.common import Json
from rovercam.web.context import Context
from rovercam.web.sitemap import SiteMap

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "north is up"}
}


def add(api: FastAPI, context: Context) -> None:
    def the_map() -> SiteMap:
        if context.site_map is None:
            raise HTTPException(404, "this station was started without a map (rovercam ground --map)")
        return context.site_map

    @api.get("/api/map", tags=["station"], response_model=Map)
    async def described() -> Any:
        """The view from orbit, north up: its size, scale, and the pixel where position_x and position_y are 0."""
        found = the_map()
        return Json(
            {
                "width": found.width,
                "height": found.height,
                "metres_per_pixel": found.scale,
                "site": list(found.site),
                "picture": "/api/map/picture",
            }
        )

    @api.get("/api/map/picture", tags=["station"], response_class=Response, responses={**ERRORS, **PICTURE})
    async def picture() -> Response:
        """The picture itself."""
        found = the_map()
        return Response(found.data, media_type=found.media_type, headers={"cache-control": "no-cache"})
