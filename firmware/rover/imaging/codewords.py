"""The code words of CCSDS 122.0-B-2 section 4.5 as one table. Loaded when a coder starts, and forgotten again."""

# Table 4-13 to 4-17: symbols of the words (2 columns where the zero word cannot occur), and the code words of the options.
_SYMBOLS = (
    b"\x00\x02\x01\x03"
    + b"\x01\x04\x00\x05\x02\x06\x03\x07"
    + b"\x07\x03\x00\x04\x01\x05\x02\x06"
    + b"\x0a\x01\x03\x06\x02\x05\x09\x0c\x00\x08\x07\x0d\x04\x0e\x0b\x0f"
    + b"\x0f\x01\x03\x06\x02\x05\x09\x0b\x00\x08\x07\x0c\x04\x0d\x0a\x0e"
)
# length << 8 | code word
_CODES = (
    (0x101, 0x201, 0x301, 0x300),
    (0x101, 0x201, 0x301, 0x500, 0x501, 0x502, 0x606, 0x607),
    (0x202, 0x203, 0x302, 0x303, 0x402, 0x403, 0x400, 0x401),
    (0x101, 0x201, 0x301, 0x401, 0x700, 0x701, 0x702, 0x703, 0x808, 0x809, 0x80A, 0x80B, 0x80C, 0x80D, 0x80E, 0x80F),
    (0x202, 0x203, 0x302, 0x303, 0x402, 0x403, 0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x70C, 0x70D, 0x70E, 0x70F),
    (0x304, 0x305, 0x306, 0x307, 0x404, 0x405, 0x406, 0x407, 0x504, 0x505, 0x506, 0x507, 0x500, 0x501, 0x502, 0x503),
)


def tables():
    """What the kernels look words up in, made once, 1792 bytes: compaction (256), costs (128 words), codes (512 halves).

    A word's key is column << 6 | (length - 1) << 4 | word."""
    table = bytearray(1792)
    # [mask << 4 | bits]: the bits under the mask, first coefficient (bit 0) foremost
    for mask in range(1, 16):
        for bits in range(16):
            n = w = 0
            for k in range(4):
                if mask >> k & 1:
                    n += 1
                    w = w << 1 | bits >> k & 1
            table[mask << 4 | bits] = (n - 1) << 4 | w
    for column in range(2):
        for n in (2, 3, 4):
            first = (4, 12)[column] if n == 3 else (20, 36)[column] if n == 4 else 0
            for w in range(1 << n):
                key = column << 6 | (n - 1) << 4 | w
                for option in range(4):
                    if option == 3:
                        c = n << 8 | _SYMBOLS[first + w]  # "uncoded": the symbol as it is
                    elif option < n - 1:
                        c = _CODES[(0, 1, 3)[n - 2] + option][_SYMBOLS[first + w]]
                    else:
                        c = 15 << 8  # no such option: longer than any
                    at = 768 + 2 * (option << 7 | key)
                    table[at] = c & 0xFF
                    table[at + 1] = c >> 8
                    table[256 + 4 * key + option] = c >> 8
    return table
