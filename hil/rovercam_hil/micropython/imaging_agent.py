# Runs inside MicroPython (unix port): pictures in, slots or a CCSDS 122 stream out. Loaded by rovercam_hil.image_encoder.
from rover.imaging.c122 import Stream
from rover.imaging.segments import Encoder

files = [bytearray() for _ in range(4)]


def encode(raw, width, height, depth, arena, survey, repeat, options):
    """Fills files[layer]; returns (blocks per run at most, arena used)."""
    for _ in range(repeat):
        for f in files:
            f[:] = b""
        e = Encoder(width, height, depth, bytearray(arena), lambda layer, slot: files[layer].extend(slot), **options)
        n = len(e.row_buffer)
        for look in (1, 0) if survey else (0,):
            if look:
                e.survey()
            for y in range(height):
                e.row_buffer[:] = raw[y * n : y * n + n]
                e.push_row()
            if look:
                e.rewind()
        e.finish()
    return e.coder.size, e.coder.end


def stream(raw, width, height, depth, arena, options):
    out = bytearray()
    s = Stream(width, height, depth, bytearray(arena), out.extend, **options)
    n = len(s.row_buffer)
    for y in range(height):
        s.row_buffer[:] = raw[y * n : y * n + n]
        s.push_row()
    s.finish()
    return out
