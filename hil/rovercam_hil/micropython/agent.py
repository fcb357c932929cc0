"""Runs inside the MicroPython unix port: answers requests of worker.Worker on stdin/stdout.

Request:  one line "<length of expression> <length of blob> …", then the expression, then the blobs.
          Blobs are bound to the names b0, b1, …; an expression starting with "!" is executed, else evaluated.
Answer:   one line "<kind> <length>", then the payload; kind: b = bytes, r = repr of the value, e = traceback.
"""

import io
import sys

_in = sys.stdin.buffer
_out = sys.stdout.buffer
_names = {}


def _read(n):
    parts = []
    while n:
        piece = _in.read(n)
        if not piece:
            sys.exit(0)
        parts.append(piece)
        n -= len(piece)
    return b"".join(parts)


def _answer(kind, payload):
    _out.write(b"%s %d\n" % (kind, len(payload)))
    _out.write(payload)


while True:
    line = _in.readline()
    if not line:
        break
    sizes = [int(x) for x in line.split()]
    source = _read(sizes[0]).decode()
    for i, size in enumerate(sizes[1:]):
        _names["b%d" % i] = _read(size)
    try:
        if source[0] == "!":
            exec(source[1:], _names)
            _answer(b"r", b"None")
        else:
            value = eval(source, _names)
            if isinstance(value, (bytes, bytearray, memoryview)):
                _answer(b"b", bytes(value))
            else:
                _answer(b"r", repr(value).encode())
    except Exception as error:  # every failure travels back to the test that caused it
        text = io.StringIO()
        sys.print_exception(error, text)  # type: ignore[attr-defined] # MicroPython's
        _answer(b"e", text.getvalue().encode())
