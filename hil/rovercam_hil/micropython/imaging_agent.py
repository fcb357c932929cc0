# Runs inside MicroPython (unix port): pictures in, slots or a CCSDS 122 stream out. Loaded by rovercam_hil.image_encoder.
from rover.imaging.c122 import Stream
from rover.imaging.look import Look, quality_for
from rover.imaging.segments import Encoder

files = [bytearray() for _ in range(5)]


def look(small, width, rows, height, rate, arena):
    """Shares of the budget (rate: hundredths of a bit per pixel) from a small picture, 8 bits, that shows the same."""
    e = Look(width, rows, height, bytearray(arena), quality_for(rate))
    for y in range(rows):
        e.row_buffer[:] = small[y * width : y * width + width]
        e.push_row()
    return e.finish()


def encode(raw, width, height, depth, arena, shares, repeat, options):
    """Fills files[part]."""
    for _ in range(repeat):
        for f in files:
            f[:] = b""
        e = Encoder(
            width,
            height,
            depth,
            bytearray(arena),
            lambda part, slot: files[part].extend(slot),
            shares=shares,
            **options,
        )
        n = len(e.row_buffer)
        for y in range(height):
            e.row_buffer[:] = raw[y * n : y * n + n]
            e.push_row()
        e.finish()


def stream(raw, width, height, depth, arena, options):
    out = bytearray()
    s = Stream(width, height, depth, bytearray(arena), out.extend, **options)
    n = len(s.row_buffer)
    for y in range(height):
        s.row_buffer[:] = raw[y * n : y * n + n]
        s.push_row()
    s.finish()
    return out
