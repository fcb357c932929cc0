"""Room on flash for something new: products go, the oldest first. Loaded when there is too little."""

from micropython import const

from rover import dictionary as d

_STATE = const(4)  # positions in a catalogue entry
_PROTECTED = const(5)


def make_room(app, wanted, lose):
    """Remove the oldest unprotected products until `wanted` bytes are free; products already down go first.

    lose False: only those. Returns False, with an event, when what stays leaves too little room.
    """
    store = app.store
    for released in (True, False) if lose else (True,):
        for number in store.numbers():
            if store.free() >= wanted:
                return True
            record = store.read(number)
            if record is None or record[_PROTECTED]:
                continue
            state = record[_STATE]
            if released and state < d.PRODUCT_STATE_DOWN:
                continue
            app.products.forget(number)
            store.delete(number)
            if state < d.PRODUCT_STATE_DOWN:
                app.pool.add(d.P_PRODUCTS_LOST)
            app.events.report(d.E_PRODUCT_REMOVED, ">HB", number, state)
    free = store.free()
    if free < wanted:
        app.events.report(d.E_FLASH_FULL, ">II", wanted, max(0, free))
        return False
    return True
