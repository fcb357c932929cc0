"""A full flash: the oldest goes first, what is protected stays, and the unit says what it did."""

import pytest

pytestmark = pytest.mark.cost(20)

FILLER = 336 * 1024  # leaves room for a few products of 34 KB, whatever the firmware grows to
FULL = FILLER + 24 * 1024  # leaves none for one of 100 KB


@pytest.mark.fresh(extra={"/t/filler.bin": b"\xa5" * FILLER})
def test_old_products_make_room_and_protected_ones_stay(unit, ground, evidence):
    free = ground.telemetry("health").values["flash_free"]
    evidence.value("free at the start", free, "KiB")
    since = ground.mark()
    taken = []
    for k in range(8):
        ground.do("capture", size="size_320x320", codec="raw", width=320, height=96, downlink=False)
        taken.append(ground.event("picture_taken", since).values["product"])
        since = ground.mark()
        if k == 0:
            ground.do("protect_product", product=taken[0], protected=True)
        if "product_removed" in ground.events():
            break
    assert "product_removed" in ground.events()
    assert "task_failed" not in ground.events()
    listed = str(ground.answer("product_list", "list_products", first=0))
    evidence.value("products left", listed[:120])
    ground.do("downlink_product", product=taken[0])
    unit.commandable()


@pytest.mark.fresh(extra={"/t/filler.bin": b"\xa5" * FULL})
def test_no_room_is_said_and_survived(unit, ground):
    since = ground.mark()
    reason = ground.refused("capture", size="size_320x320", codec="raw", downlink=False)
    assert "flash_full" in reason
    ground.event("flash_full", since)
    unit.commandable()
    ground.do("delete_file", path="/t/filler.bin")
    ground.shoot(size="size_96x96", codec="raw", width=64, height=16)
