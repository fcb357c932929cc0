"""Code words of CCSDS 122.0-B-2 section 4.5.3.3, as a table that is looked up by the bits to come."""

from __future__ import annotations

import numpy as np

# Tables 4-13 .. 4-17: symbol of each word, by word length and column; then code words per option as (length, code).
_SYMBOLS = {
    (2, 0): (0, 2, 1, 3),
    (3, 0): (1, 4, 0, 5, 2, 6, 3, 7),
    (3, 1): (7, 3, 0, 4, 1, 5, 2, 6),
    (4, 0): (10, 1, 3, 6, 2, 5, 9, 12, 0, 8, 7, 13, 4, 14, 11, 15),
    (4, 1): (15, 1, 3, 6, 2, 5, 9, 11, 0, 8, 7, 12, 4, 13, 10, 14),
}
_WORDS = {
    2: (("1", "01", "001", "000"),),
    3: (
        ("1", "01", "001", "00000", "00001", "00010", "000110", "000111"),
        ("10", "11", "010", "011", "0010", "0011", "0000", "0001"),
    ),
    4: (
        [
            "1",
            "01",
            "001",
            "0001",
            "0000000",
            "0000001",
            "0000010",
            "0000011",
            "00001000",
            "00001001",
            "00001010",
            "00001011",
            "00001100",
            "00001101",
            "00001110",
            "00001111",
        ],
        [
            "10",
            "11",
            "010",
            "011",
            "0010",
            "0011",
            "000000",
            "000001",
            "000010",
            "000011",
            "000100",
            "000101",
            "0001100",
            "0001101",
            "0001110",
            "0001111",
        ],
        [
            "100",
            "101",
            "110",
            "111",
            "0100",
            "0101",
            "0110",
            "0111",
            "00100",
            "00101",
            "00110",
            "00111",
            "00000",
            "00001",
            "00010",
            "00011",
        ],
    ),
}


def _decoding_table() -> np.ndarray:
    """[length, column, option, next 8 bits] -> code length << 4 | word; option 3 sends the symbol itself."""
    table = np.zeros((5, 2, 4, 256), np.int16)
    for (length, column), symbols in _SYMBOLS.items():
        back = {symbol: word for word, symbol in enumerate(symbols)}
        for option, words in enumerate(_WORDS[length]):
            for symbol, code in enumerate(words):
                if symbol not in back:
                    continue
                low = int(code, 2) << (8 - len(code))
                table[length, column, option, low : low + (1 << (8 - len(code)))] = len(code) << 4 | back[symbol]
        for bits in range(256):
            table[length, column, 3, bits] = length << 4 | back.get(bits >> (8 - length), 0)
    table[2, 1] = table[2, 0]
    return table


TABLE = _decoding_table()
