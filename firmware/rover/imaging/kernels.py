"""Inner loops of the integer 9/7 wavelet and of the coefficient masks, in viper (portable: board and unix port).

Every kernel takes the arena and an array('i') of byte offsets into it, so that kernels_thumb.py can offer the same four
in Thumb assembler (which takes at most four arguments). Coefficients are stored as unsigned 16-bit words with a bias of
0x8000: loads zero-extend on every port, and the lifting steps need no sign repair (9 + 9 - 1 - 1 = 16 biases cancel in
the >> 4, two biases in the >> 2). CCSDS 122.0-B-2 section 3.3.
"""

import micropython


@micropython.viper
def rows8(a: ptr8, p: ptr32):
    """One row of 8-bit pixels: horizontal step. p = source, destination, width; source has 4 spare bytes before, 4 behind.

    Destination: width/2 low words, then width/2 high words, biased."""
    base = int(a)
    s = ptr8(base + p[0] - 2)  # s[2] is pixel 0
    m = p[2] >> 1
    lo = ptr16(base + p[1])
    hi = ptr16(base + p[1] + p[2])
    w = p[2]
    s[0] = s[4] if w > 2 else s[2]
    s[w + 2] = s[w]
    s[w + 4] = s[w - 2] if w > 2 else s[2]
    xm = s[0]
    x0 = s[2]
    x2 = s[4]
    x4 = s[6]
    j = 0
    i = 3
    d = 0
    while j < m:
        dm = d
        d = s[i] - ((9 * (x0 + x2) - (xm + x4) + 8) >> 4) + 0x8000
        if j == 0:
            dm = d
        hi[j] = d
        lo[j] = x0 + ((dm + d + 1) >> 2) + 0x4000
        xm = x0
        x0 = x2
        x2 = x4
        j += 1
        i += 2
        x4 = s[i + 3]


@micropython.viper
def rows16(a: ptr8, p: ptr32):
    """One row of 16-bit words. p = source, destination, width, 0 for pixels / 1 for biased coefficients.

    The source has 4 spare bytes before it and 6 behind."""
    base = int(a)
    s = ptr16(base + p[0] - 4)
    m = p[2] >> 1
    lo = ptr16(base + p[1])
    hi = ptr16(base + p[1] + p[2])
    w = p[2]
    c = 0x4000
    if p[3]:
        c = -0x4000
    s[0] = s[4] if w > 2 else s[2]
    s[w + 2] = s[w]
    s[w + 4] = s[w - 2] if w > 2 else s[2]
    xm = s[0]
    x0 = s[2]
    x2 = s[4]
    x4 = s[6]
    j = 0
    i = 3
    d = 0
    while j < m:
        dm = d
        d = s[i] - ((9 * (x0 + x2) - (xm + x4) + 8) >> 4) + 0x8000
        if j == 0:
            dm = d
        hi[j] = d
        lo[j] = x0 + ((dm + d + 1) >> 2) + c
        xm = x0
        x0 = x2
        x2 = x4
        j += 1
        i += 2
        x4 = s[i + 3]


@micropython.viper
def column_high(a: ptr8, p: ptr32):
    """Vertical high-pass of whole rows. p = destination, rows 2j-2, 2j, 2j+2, 2j+4, 2j+1, words."""
    base = int(a)
    d = ptr16(base + p[0])
    em = ptr16(base + p[1])
    e0 = ptr16(base + p[2])
    e1 = ptr16(base + p[3])
    e2 = ptr16(base + p[4])
    o = ptr16(base + p[5])
    n = p[6]
    i = 0
    while i < n:
        d[i] = o[i] - ((9 * (e0[i] + e1[i]) - (em[i] + e2[i]) + 8) >> 4) + 0x8000
        i += 1


@micropython.viper
def column_low(a: ptr8, p: ptr32):
    """Vertical low-pass of whole rows. p = destination, row 2j, high row j-1, high row j, words."""
    base = int(a)
    d = ptr16(base + p[0])
    e = ptr16(base + p[1])
    h0 = ptr16(base + p[2])
    h1 = ptr16(base + p[3])
    n = p[4]
    i = 0
    while i < n:
        d[i] = e[i] + ((h0[i] + h1[i] + 1) >> 2) - 0x4000
        i += 1


@micropython.viper
def signs(a: ptr8, p: ptr32, out: ptr32):
    """Biased to sign and magnitude in place for p[0] blocks of one strip; out gets 3 words per block: OR of magnitudes.

    p = blocks, then per family (HL, LH, HH) 7 offsets: parent row, two child rows, four grandchild rows, of the first block.
    out[3n + i] = OR of the grandchildren | OR of the children << 16 (of family i); parents are read directly."""
    base = int(a)
    n = p[0]
    f = 0
    while f < 3:
        q = 1 + 7 * f
        r = 0
        while r < 7:
            at = base + p[q + r]
            words = n  # 16-bit words to convert in this row
            if r > 0:
                words = n << 1
            if r > 2:
                words = n << 2
            row = ptr16(at)
            i = 0
            while i < words:
                u = row[i]
                if u & 0x8000:
                    row[i] = u ^ 0x8000
                else:
                    row[i] = 0x10000 - u
                i += 1
            r += 1
        c0 = ptr32(base + p[q + 1])
        c1 = ptr32(base + p[q + 2])
        g0 = ptr32(base + p[q + 3])
        g1 = ptr32(base + p[q + 4])
        g2 = ptr32(base + p[q + 5])
        g3 = ptr32(base + p[q + 6])
        i = 0
        k = f
        while i < n:
            j = i << 1
            g = g0[j] | g0[j + 1] | g1[j] | g1[j + 1] | g2[j] | g2[j + 1] | g3[j] | g3[j + 1]
            c = c0[i] | c1[i]
            out[k] = ((g | (g >> 16)) & 0x7FFF) | (((c | (c >> 16)) & 0x7FFF) << 16)
            k += 3
            i += 1
        f += 1


@micropython.viper
def masks(a: ptr8, p: ptr32, out: ptr32, plane: int):
    """Bits of one weighted bit plane of p[0] blocks of a strip, 3 words per block (families HL, LH, HH).

    Word: bits 0-15 grandchildren (nibble j = group H_ij, bit k = its k-th coefficient in raster order), 16-19 children,
    20 parent. Plane 18 asks for the signs. Subband weights are 3, 2, 1 (HL, LH) and 2, 1, 0 (HH): 122.0-B-2 table 3-4."""
    base = int(a)
    n = p[0]
    f = 0
    m = 0x10001
    while f < 3:
        q = 1 + 7 * f
        pr = ptr16(base + p[q])
        c0 = ptr32(base + p[q + 1])
        c1 = ptr32(base + p[q + 2])
        g0 = ptr32(base + p[q + 3])
        g1 = ptr32(base + p[q + 4])
        g2 = ptr32(base + p[q + 5])
        g3 = ptr32(base + p[q + 6])
        s = plane - 1
        if f == 2:
            s = plane
        sc = s - 1
        sp = s - 2
        top = 15
        if plane == 18:
            top = 16
            s = 15
            sc = 15
            sp = 15
        i = 0
        k = f
        while i < n:
            w = 0
            if s >= 0 and s < top:
                j = i << 1
                w = (g0[j] >> s) & m
                w |= ((g1[j] >> s) & m) << 2
                w |= ((g0[j + 1] >> s) & m) << 4
                w |= ((g1[j + 1] >> s) & m) << 6
                w |= ((g2[j] >> s) & m) << 8
                w |= ((g3[j] >> s) & m) << 10
                w |= ((g2[j + 1] >> s) & m) << 12
                w |= ((g3[j + 1] >> s) & m) << 14
                w = (w | (w >> 15)) & 0xFFFF
            if sc >= 0 and sc < top:
                c = ((c0[i] >> sc) & m) | (((c1[i] >> sc) & m) << 2)
                w |= ((c | (c >> 15)) & 15) << 16
            if sp >= 0 and sp < top:
                w |= ((pr[i] >> sp) & 1) << 20
            out[k] = w
            k += 3
            i += 1
        f += 1
