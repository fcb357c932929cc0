"""The inner loops of the block coder in viper (portable; coder_thumb.py has them in assembler). What they do: blocks.py."""

import micropython


@micropython.viper
def quantise(a: ptr8, p: ptr32, scale: ptr32, rounding: int):
    """Biased words to bit 15 = sign, bits 14-0 = (size * scale + rounding) >> 16, in place, for p[0] blocks of a strip.

    p: blocks, then the 21 row offsets of Wavelet.rows_of(); scale: per family parents, children, grandchildren."""
    base = int(a)
    n = p[0]
    r = 0
    while r < 21:
        k = r
        f = 0
        while k > 6:
            k -= 7
            f += 3
        words = n
        if k > 2:
            words = n << 2
            f += 2
        elif k > 0:
            words = n << 1
            f += 1
        m = scale[f]
        row = ptr16(base + p[r + 1])
        i = 0
        while i < words:
            v = row[i] - 0x8000
            if v < 0:
                v = ((0 - v) * m + rounding) >> 16
                if v:
                    v |= 0x8000
            else:
                v = (v * m + rounding) >> 16
            row[i] = v
            i += 1
        r += 1


@micropython.viper
def estimate(a: ptr8, p: ptr32, scale: ptr32, bits: ptr32):
    """Guess of the bits of p[0] blocks of biased words at these scales (as quantise()), in eighths, into bits[0]; at twice the
    step into bits[1]: 4.75 bits and 1.25 for each doubling."""
    base = int(a)
    n = p[0]
    r = 0
    fine = n << 6
    ones = 0
    others = 0
    while r < 21:
        k = r
        f = 0
        while k > 6:
            k -= 7
            f += 3
        words = n
        if k > 2:
            words = n << 2
            f += 2
        elif k > 0:
            words = n << 1
            f += 1
        m = scale[f]
        row = ptr16(base + p[r + 1])
        i = 0
        while i < words:
            v = row[i] - 0x8000
            if v < 0:
                v = 0 - v
            v = (v * m + 0x6666) >> 16
            if v:
                if v == 1:
                    ones += 1
                else:
                    others += 1
                    while v > 1:
                        fine += 10
                        v = v >> 1
            i += 1
        r += 1
    fine += 38 * (ones + others)
    bits[0] = fine
    bits[1] = fine - 10 * others - 38 * ones


@micropython.viper
def bands(a: ptr8, p: ptr32, w: ptr32, e: ptr16):
    """Append the decisions of block w[BLOCK], units w[UNIT] to 3 without DC, to the list e."""
    base = int(a)
    j = 144 + w[15]
    i = w[5]
    u = w[6]
    orphan = w[8]
    b = w[9]
    known = w[10]
    while u < 4:
        # bands of the unit: parents (depth 0) and children (1) of the families, or grandchildren (2) of one
        depth = 0
        f = 0
        if u:
            depth = 2
            f = u - 1
        alone = 0
        if u < w[7]:
            alone = 1
        more = 1
        while more:
            weight = 3 - depth
            hh = 0
            if f == 2:
                weight -= 1
                hh = 12
            sb = b - weight
            if sb < 0:
                sb = 0
            sa = known - weight
            if sa < 0:
                sa = 0
            if known == 31:
                sa = 16
            open = sa - sb
            sp = sb - 1  # the parents' shift
            if sb == 0:
                sp = 0
            if open > 0:
                n = 1 << depth
                q = 2 + 7 * f  # of p: the band's first row
                if depth == 0:
                    q = 1 + 7 * f
                elif depth == 2:
                    q = 4 + 7 * f
                go = 1
                if depth == 2 and known == 31:
                    # the flag
                    m = 0
                    y = 0
                    while y < 4:
                        row = ptr16(base + p[q + y] + (i << 3))
                        m |= row[0] | row[1] | row[2] | row[3]
                        y += 1
                    go = (m & 0x7FFF) >> sb
                    s = 0
                    if not orphan:
                        row = ptr16(base + p[q - 2] + (i << 2))
                        s = ((row[0] & 0x7FFF) >> sp) + ((row[1] & 0x7FFF) >> sp)
                        row = ptr16(base + p[q - 1] + (i << 2))
                        s += ((row[0] & 0x7FFF) >> sp) + ((row[1] & 0x7FFF) >> sp)
                    m = (s + 1) >> 1
                    if not alone:
                        m = 0
                        y = 0
                        while y < 4:
                            row = ptr16(base + p[q + y] + (i << 3) - 2)
                            m += (row[0] & 0x7FFF) >> sb
                            y += 1
                    if s > 4:
                        s = 4
                    if m > 3:
                        m = 3
                    z = 72 + (s << 2) + m
                    e[j] = z << 1
                    if go:
                        e[j] = (z << 1) | 1
                    j += 1
                if go:
                    y = 0
                    above = ptr16(base)
                    while y < n:
                        row = ptr16(base + p[q + y] + (i << (depth + 1)) - 2)  # row[0]: to the left of the block
                        x = 1
                        while x <= n:
                            par = 0
                            if depth and not orphan:
                                k = q - 1
                                if depth == 2:
                                    k = q - 2 + (y >> 1)
                                par = (ptr16(base + p[k] + (i << depth))[(x - 1) >> 1] & 0x7FFF) >> sp
                            s = (par + 1) >> 1
                            left = s
                            if x > 1 or not alone:
                                left = (row[x - 1] & 0x7FFF) >> sb
                            if y == 0:
                                s = (left << 1) + (s << 2)
                            else:
                                k = s
                                if x > 1 or not alone:
                                    k = (above[x - 1] & 0x7FFF) >> sb
                                if x < n:
                                    s = (above[x + 1] & 0x7FFF) >> sb
                                s = s + k + ((left + ((above[x] & 0x7FFF) >> sb)) << 1)
                            s += par << 1
                            if s > 95:
                                s = 95
                            level = e[s]
                            v = row[x]
                            m = v & 0x7FFF
                            k = m >> sa
                            m = m >> sb
                            if k == 0:
                                top = 30
                                if open < 5:
                                    top = (1 << open) - 1
                                z = depth * 24 + hh + level
                                if m == 0:
                                    e[j] = z << 1
                                    j += 1
                                else:
                                    e[j] = (z << 1) | 1
                                    j += 1
                                    z = 91 + 6 * e[96 + level]
                                    if depth == 2:
                                        z += 30
                                    s = 1
                                    while s < m and s < 9:
                                        k = s
                                        if s > 6:
                                            k = 6
                                        e[j] = ((z + k) << 1) | 1
                                        j += 1
                                        s += 1
                                    if s < 9:
                                        if s < top:
                                            k = s
                                            if s > 6:
                                                k = 6
                                            e[j] = (z + k) << 1
                                            j += 1
                                    else:
                                        m -= 8
                                        s = 0
                                        while m >> s:
                                            s += 1
                                        e[j] = 0xA000 | s
                                        j += 1
                                        s -= 1
                                        if s > 11:
                                            e[j] = 0x8000 | ((s - 11) << 11) | ((m >> 11) & ((1 << (s - 11)) - 1))
                                            j += 1
                                            s = 11
                                        if s:
                                            e[j] = 0x8000 | (s << 11) | (m & ((1 << s) - 1))
                                            j += 1
                                    e[j] = 0x8800 | (v >> 15)
                                    j += 1
                            else:
                                s = open - 1
                                if k > 3:
                                    k = 3
                                e[j] = ((193 + k) << 1) | ((m >> s) & 1)
                                j += 1
                                if s:
                                    e[j] = 0x8000 | (s << 11) | (m & ((1 << s) - 1))
                                    j += 1
                            x += 1
                        above = row
                        y += 1
            more = 0
            if depth < 2:
                f += 1
                more = 1
                if f == 3:
                    f = 0
                    depth += 1
                    if depth == 2:
                        more = 0
        e[j] = 0xFFFF
        j += 1
        u += 1
    w[15] = j - 144


@micropython.viper
def code(w: ptr32, e: ptr16, out: ptr8) -> int:
    """Code the list's units; returns how many fitted. What did not fit leaves no trace in out."""
    pos = w[0]
    low = w[1]
    size = w[2]
    limit = w[3]
    j = 144
    end = 144 + w[15]
    done = 0
    kept_pos = pos
    kept_low = low
    kept_size = size
    carried = 0  # a carry went beyond kept_pos
    while j < end:
        x = e[j]
        j += 1
        if x < 0x8000:
            k = 32 + (x >> 1)
            y = w[k]
            n = y & 0xFF
            y = y >> 8
            part = (size >> 12) * (y >> 4)
            step = e[108 + n]
            if x & 1:
                size = part
                y += ((65536 - y) * step) >> 16
            else:
                low += part
                size -= part
                y -= (y * step) >> 16
            if y < 32:
                y = 32
            if y > 65503:
                y = 65503
            if n < 35:
                n += 1
            w[k] = (y << 8) | n
            n = 0
        elif x == 0xFFFF:
            kept_pos = pos
            kept_low = low
            kept_size = size
            carried = 0
            done += 1
            n = 0
        else:
            n = (x >> 11) & 15
        while True:
            if n:
                n -= 1
                size = size >> 1
                if (x >> n) & 1:
                    low += size
            while size < 0x400000:
                if pos >= limit:
                    # undo
                    if carried:
                        pos = kept_pos - 1
                        while out[pos] == 0:
                            out[pos] = 255
                            pos -= 1
                        out[pos] = out[pos] - 1
                    w[0] = kept_pos
                    w[1] = kept_low
                    w[2] = kept_size
                    return done
                y = low >> 22
                if y > 255:
                    k = pos - 1
                    while out[k] == 255:
                        out[k] = 0
                        k -= 1
                    out[k] = out[k] + 1
                    if k < kept_pos:
                        carried = 1
                out[pos] = y
                pos += 1
                low = (low & 0x3FFFFF) << 8
                size = size << 8
            if n == 0:
                break
    w[0] = pos
    w[1] = low
    w[2] = size
    return done
