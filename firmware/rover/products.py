"""The downlink queue of products: hands whole products to the file transfer, the most urgent first, as it has room.

State on flash: queued = waiting here, partly_down = all its files are transactions, down = the ground has them all.
A reset between the two writes hands a product over again, except files that are still transactions.
"""

from micropython import const

from rover import dictionary as d

_ROOM = const(6)  # start another product only while the file transfer has fewer transactions than this
_MAX = const(64)  # products waiting; more stay "taken" and can be asked for again
_PRIORITY = const(6)  # positions in the catalogue entry
_LAYERS = const(7)
_CODEC = const(8)
_FORMAT = const(9)
_REFINEMENTS = const(2)  # of a lossless picture, behind its base
_LONG = const(3)  # slots of 200 bytes that one of a refinement is long (rover.imaging.segments)


def _slots(record, layer):
    """Slots in a run of this layer's bytes, 0: it is in none (rover.imaging)."""
    behind = record[_LAYERS] - layer  # layers from this one to the last
    if record[_CODEC] == d.CODEC_RAW:  # of a JPEG the thumbnail before it is in slots
        return 1 if record[_FORMAT] == d.PICTURE_FORMAT_JPEG and behind > 1 else 0
    return _LONG if record[_CODEC] == d.CODEC_LOSSLESS and behind <= _REFINEMENTS else 1


class Queue:
    def __init__(self, app):
        self.app = app
        self._waiting = []  # priority << 24 | order of arrival << 14 | product, kept sorted
        self._arrivals = 0
        self._layers = {}  # product -> first << 4 | last layer asked for, where that is not all of them

    def add(self, number, priority, last_layer=15, first_layer=0):
        """Queue a product, or some of its layers; False when there is none of this number or the queue is full."""
        if len(self._waiting) >= _MAX or not self.app.store.change(
            number, state=d.PRODUCT_STATE_QUEUED, priority=priority
        ):
            return False
        self._layers.pop(number, 0)
        if last_layer < 15 or first_layer:
            self._layers[number] = first_layer << 4 | last_layer
        self.insert(number, priority)
        return True

    def insert(self, number, priority):
        self._arrivals = (self._arrivals + 1) & 0x3FF
        self._waiting.append(priority << 24 | self._arrivals << 14 | number)
        self._waiting.sort()
        self.app.wake()

    def feed(self):
        """Hand over what there is room for; called regularly. True when something was started."""
        started = False
        while self._waiting and len(self.app.cfdp.transactions()) < _ROOM:
            number = self._waiting.pop(0) & 0x3FFF
            started = self._hand_over(number) or started
        return started

    def _hand_over(self, number):
        app = self.app
        record = app.store.read(number)
        if record is None:
            return False
        busy = [t[1] for t in app.cfdp.transactions()]
        priority = record[_PRIORITY]
        first = self._layers.get(number, 15)
        last = min(record[_LAYERS] - 1, first & 15)
        first >>= 4
        if last == record[_LAYERS] - 1:
            self._layers.pop(number, 0)
        path = app.store.path(number, "m")
        if path not in busy and not first:
            app.send_file(path, priority * 16)
        for layer in range(first, last + 1):
            path = app.store.path(number, layer)
            if path not in busy:
                # later layers after the earlier ones of the same product, but before less urgent products
                app.send_file(path, priority * 16 + 1 + layer, slots=_slots(record, layer))
        app.store.change(number, state=d.PRODUCT_STATE_PARTLY_DOWN)
        return True

    def finished(self, path):
        """A transaction of a product's file ended well; the product is down with its last one, if all layers were asked for."""
        prefix = path[:8]
        for t in self.app.cfdp.transactions():
            if t[1].startswith(prefix) and t[1] != path:
                return
        number = int(path[3:7])
        if number not in self._layers:
            self.app.store.change(number, state=d.PRODUCT_STATE_DOWN)

    def forget(self, number):
        """The product is being deleted: out of the queue, its transactions cancelled."""
        self._waiting = [w for w in self._waiting if w & 0x3FFF != number]
        self._layers.pop(number, 0)
        prefix = "/p/%04d." % number
        for t in self.app.cfdp.transactions():
            if t[1].startswith(prefix):
                self.app.cfdp.cancel(t[0])
