"""Makes link.json. Nothing of rovercam is used: reedsolo with the CCSDS parameters, the dual basis from its definition, crcmod,
spacepackets, a bitwise LFSR, hmac.

Run: python tests/vectors/make_link.py > tests/vectors/link.json
"""

import hashlib
import hmac
import json

import crcmod
import reedsolo
from spacepackets.ccsds.spacepacket import PacketType, SpHeader

alpha = [1]
for _ in range(254):
    value = alpha[-1] << 1
    alpha.append(value ^ 0x187 if value & 0x100 else value)
power = {v: i for i, v in enumerate(alpha)}


def multiply(a: int, b: int) -> int:
    return alpha[(power[a] + power[b]) % 255] if a and b else 0


def trace(x: int) -> int:
    total = 0
    for _ in range(8):
        total ^= x
        x = multiply(x, x)
    assert total in {0, 1}
    return total


def dual(u: int) -> int:
    """131.0-B annex: z_i = Tr(u a^(117 i)), z_0 sent first."""
    return int("".join(str(trace(multiply(u, alpha[117 * i % 255]))) for i in range(8)), 2)


DUAL = [dual(u) for u in range(256)]
CONVENTIONAL = [DUAL.index(z) for z in range(256)]


def codeword(data: bytes, t: int) -> bytes:
    coder = reedsolo.RSCodec(nsym=2 * t, nsize=255, fcr=128 - t, prim=0x187, generator=alpha[11], c_exp=8)
    return bytes(DUAL[x] for x in coder.encode(bytes(CONVENTIONAL[x] for x in data)))


def pseudo_random(length: int) -> bytes:
    """h(x) = x^8 + x^7 + x^5 + x^3 + 1 as a recurrence: s[n+8] = s[n+7] + s[n+5] + s[n+3] + s[n], preset to ones."""
    bits = [1] * 8
    while len(bits) < 8 * length:
        bits.append(bits[-1] ^ bits[-3] ^ bits[-5] ^ bits[-8])
    return bytes(int("".join(map(str, bits[8 * i : 8 * i + 8])), 2) for i in range(length))


crc = crcmod.mkCrcFun(0x11021, initCrc=0xFFFF, rev=False)
pattern = bytes((i * 37 + (i >> 3)) & 0xFF for i in range(255))
packet = SpHeader(PacketType.TM, 0x110, 5, 9, sec_header_flag=True).pack() + bytes(range(10))
body = bytes.fromhex("2101002300") + bytes.fromhex("000100000007") + bytes.fromhex("1910c0000000aa")
key = bytes(range(32))
secured = body + hmac.new(key, body, hashlib.sha256).digest()[:16]
json.dump(
    {
        "provenance": "tests/vectors/make_link.py: reedsolo 1.7, crcmod 1.7, spacepackets 0.32, hmac of the standard library",
        "crc16 of 123456789": crc(b"123456789"),
        "pseudo-random 64": pseudo_random(64).hex(),
        "dual basis": bytes(DUAL).hex(),
        "codewords": {str(t): codeword(pattern[: 255 - 2 * t], t).hex() for t in (1, 2, 4, 8, 16)},
        "shortened t=8 n=128": codeword(pattern[:112], 8).hex(),
        "space packet": packet.hex(),
        "secured tc frame": (secured + crc(secured).to_bytes(2, "big")).hex(),
        "secured tc packet": "1910c0000000aa",
    },
    __import__("sys").stdout,
    indent=1,
)
print()
