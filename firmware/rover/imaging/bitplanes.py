"""Bit-plane coder of CCSDS 122.0-B-2 section 4: one segment of up to `size` blocks at a time, out as bytes.

A block's 63 AC coefficients are three 21-bit words (kernels.masks), so that all its sets (descendants D_i, grandchildren
G_i, groups H_ij) are mask tests, and what was sent follows from the bits already significant. Stages 1-3 of a plane are
written as 16-bit entries (word, length, column, signs), then the code options of each gaggle are chosen over them, then
the entries are coded. Memory: 70 bytes per block in the arena and 1.8 KB of tables.
"""

from array import array

import micropython
from micropython import const

from rover.imaging.kernels import masks, signs

# state words per block: significant masks (3), sign masks (3), bits of the plane (3)
_STATE = const(36)
# entries of 2 bytes per block and stage, at most: types P; tranB, tranD, 3 types C; tranG, 3 tranH, 12 types H
_E1 = const(1)
_E2 = const(5)
_E3 = const(16)
# bytes one gaggle can need in one stage, at most (stage 3: 16 blocks of 16 words of 8 + 4 bits)
_ROOM = const(400)
_OUT = const(608)

# state of the writer and arguments of the kernels, an array('i')
_POS = const(0)
_ACC = const(1)
_BITS = const(2)


@micropython.viper
def put(out: ptr8, c: ptr32, value: int, n: int):
    """Append n <= 16 bits."""
    acc = (c[1] << n) | value
    bits = c[2] + n
    pos = c[0]
    while bits >= 8:
        bits -= 8
        out[pos] = acc >> bits
        pos += 1
    c[0] = pos
    c[1] = acc & ((1 << bits) - 1)
    c[2] = bits


@micropython.viper
def _dpcm(v: ptr16, n: int, lowest: int, highest: int):
    # differences of successive values, mapped to 0, 1, 2 ... in place, from the last (122.0-B-2 4.3.2.4); v is biased by lowest
    i = n - 1
    span = highest - lowest
    while i > 0:
        before = v[i - 1]
        d = v[i] - before
        t = before
        if span - before < t:
            t = span - before
        if d >= 0:
            if d <= t:
                d = d << 1
            else:
                d = t + d
        elif d >= 0 - t:
            d = ((0 - d) << 1) - 1
        else:
            d = t - d
        v[i] = d
        i -= 1


@micropython.viper
def _rice_k(v: ptr16, j: int, n: int, optimal: int) -> int:
    # parameter k for j mapped differences of n-bit values; -1 = uncoded (4.3.2.11 and table 4-10)
    i = 0
    best = n * j
    k = -1
    if optimal:
        t = 0
        while t <= n - 2:
            s = j * (t + 1)
            i = 0
            while i < j:
                s += v[i] >> t
                i += 1
            if s < best:
                best = s
                k = t
            t += 1
        return k
    s = 0
    while i < j:
        s += v[i]
        i += 1
    if 64 * s >= 23 * j * (1 << n):
        return -1
    if 207 * j > 128 * s:
        return 0
    if (j << (n + 5)) <= 128 * s + 49 * j:
        return n - 2
    k = n - 2
    while k > 0 and (j << (k + 7)) > 128 * s + 49 * j:
        k -= 1
    return k


@micropython.viper
def _depths(st: ptr32, a: ptr8, p: ptr32, depth: ptr8) -> int:
    # bits of the largest weighted magnitude of each block, from the ORs that signs() left in the sign words; returns the largest
    n = p[0]
    i = 0
    top = 0
    base = int(a)
    while i < n:
        m = 0
        f = 0
        while f < 3:
            w = st[3 * i + f]
            pr = ptr16(base + p[1 + 7 * f])
            sh = 1
            if f == 2:
                sh = 0
            m |= (w & 0xFFFF) << sh
            m |= ((w >> 16) & 0xFFFF) << (sh + 1)
            m |= (pr[i] & 0x7FFF) << (sh + 2)
            f += 1
        d = 0
        while m:
            m = m >> 1
            d += 1
        depth[i] = d
        if d > top:
            top = d
        i += 1
    return top


@micropython.viper
def _words(a: ptr8, args: ptr32, t: ptr8):
    """Stages 1-3 of plane args[4] for args[6] blocks: the three lists of entries, and per gaggle their ends and code options.

    In the arena at args[12]: significant and sign masks (6 words per block), [13]: bits of the plane (3), [14]: entries,
    [15]: depths, [17]: per gaggle the ends of its three lists and the options (2 bits per word length 2, 3, 4)."""
    base = int(a)
    s = ptr32(base + args[12])
    pm = ptr32(base + args[13])
    e = ptr16(base + args[14])
    depth = ptr8(base + args[15])
    tab = t
    costs = ptr32(int(t) + 256)
    ends = ptr16(base + args[17])
    b = args[4]
    count = args[6]
    e1 = 0
    e2 = count
    e3 = 6 * count
    i = 0
    gi = 0
    # coefficients that have a bit in this plane at all: subband weights
    vhl = 0x1FFFFF
    if b < 3:
        vhl = 0xFFFFF
    if b < 2:
        vhl = 0xFFFF
    if b < 1:
        vhl = 0
    vhh = 0x1FFFFF
    if b < 2:
        vhh = 0xFFFFF
    if b < 1:
        vhh = 0xFFFF
    while i < count:
        end = i + 16
        if end > count:
            end = count
        # accumulated lengths per option: for word lengths 2, 3, 4 options 0 and 2 in one word, 1 and 3 in the other
        a2 = 0
        b2 = 0
        a3 = 0
        b3 = 0
        a4 = 0
        b4 = 0
        while i < end:
            if depth[i] > b:
                i3 = i * 3
                i6 = i * 6
                s0 = s[i6]
                s1 = s[i6 + 1]
                s2 = s[i6 + 2]
                n0 = pm[i3] & (s0 ^ 0x1FFFFF)
                n1 = pm[i3 + 1] & (s1 ^ 0x1FFFFF)
                n2 = pm[i3 + 2] & (s2 ^ 0x1FFFFF)
                # stage 1: types of the parents
                u0 = (s0 ^ 0x1FFFFF) & vhl
                u1 = (s1 ^ 0x1FFFFF) & vhl
                u2 = (s2 ^ 0x1FFFFF) & vhh
                u = (u0 >> 20) | ((u1 >> 20) << 1) | ((u2 >> 20) << 2)
                if u:
                    v = (n0 >> 20) | ((n1 >> 20) << 1) | ((n2 >> 20) << 2)
                    w = tab[(u << 4) | v]
                    if v:
                        g = (s[i6 + 3] >> 20) | ((s[i6 + 4] >> 20) << 1) | ((s[i6 + 5] >> 20) << 2)
                        e[e1] = w | (tab[(v << 4) | (g & v)] << 7) | 0x2000
                    else:
                        e[e1] = w
                    e1 += 1
                    x = w >> 4
                    c = costs[w]
                    if x == 1:
                        a2 += c & 0xFF00FF
                        b2 += (c >> 8) & 0xFF00FF
                    elif x == 2:
                        a3 += c & 0xFF00FF
                        b3 += (c >> 8) & 0xFF00FF
                # stage 2
                go = 1
                if not (s0 | s1 | s2) & 0xFFFFF:
                    if not (u0 | u1 | u2) & 0xFFFFF:
                        go = 0
                    elif (n0 | n1 | n2) & 0xFFFFF:
                        e[e2] = 1
                        e2 += 1
                    else:
                        e[e2] = 0
                        e2 += 1
                        go = 0
                if go:
                    u = 0
                    v = 0
                    if not s0 & 0xFFFFF and u0 & 0xFFFFF:
                        u = 1
                        if n0 & 0xFFFFF:
                            v = 1
                    if not s1 & 0xFFFFF and u1 & 0xFFFFF:
                        u |= 2
                        if n1 & 0xFFFFF:
                            v |= 2
                    if not s2 & 0xFFFFF and u2 & 0xFFFFF:
                        u |= 4
                        if n2 & 0xFFFFF:
                            v |= 4
                    if u:
                        w = tab[(u << 4) | v]
                        if w >> 4 == 2:
                            w |= 0x40
                        e[e2] = w
                        e2 += 1
                        x = (w >> 4) & 3
                        c = costs[w]
                        if x == 1:
                            a2 += c & 0xFF00FF
                            b2 += (c >> 8) & 0xFF00FF
                        elif x == 2:
                            a3 += c & 0xFF00FF
                            b3 += (c >> 8) & 0xFF00FF
                    # families one after the other; groups are entered in stage 3 below
                    f = 0
                    gu = 0
                    gv = 0
                    while f < 3:
                        un = u0
                        nw = n0
                        sg = s0
                        if f == 1:
                            un = u1
                            nw = n1
                            sg = s1
                        elif f == 2:
                            un = u2
                            nw = n2
                            sg = s2
                        if (sg | nw) & 0xFFFFF:
                            u = (un >> 16) & 15
                            if u:
                                v = (nw >> 16) & 15
                                w = tab[(u << 4) | v]
                                c = costs[w]
                                x = w >> 4
                                if v:
                                    w |= (tab[(v << 4) | ((s[i6 + 3 + f] >> 16) & v)] << 7) | 0x2000
                                e[e2] = w
                                e2 += 1
                                if x == 3:
                                    a4 += c & 0xFF00FF
                                    b4 += (c >> 8) & 0xFF00FF
                                elif x == 2:
                                    a3 += c & 0xFF00FF
                                    b3 += (c >> 8) & 0xFF00FF
                                elif x == 1:
                                    a2 += c & 0xFF00FF
                                    b2 += (c >> 8) & 0xFF00FF
                            if not sg & 0xFFFF and un & 0xFFFF:
                                gu |= 1 << f
                                if nw & 0xFFFF:
                                    gv |= 1 << f
                        f += 1
                    # stage 3: groups of grandchildren
                    if gu:
                        w = tab[(gu << 4) | gv]
                        e[e3] = w
                        e3 += 1
                        c = costs[w]
                        x = w >> 4
                        if x == 1:
                            a2 += c & 0xFF00FF
                            b2 += (c >> 8) & 0xFF00FF
                        elif x == 2:
                            a3 += c & 0xFF00FF
                            b3 += (c >> 8) & 0xFF00FF
                    f = 0
                    while f < 3:
                        un = u0 & 0xFFFF
                        nw = n0 & 0xFFFF
                        sg = s0 & 0xFFFF
                        if f == 1:
                            un = u1 & 0xFFFF
                            nw = n1 & 0xFFFF
                            sg = s1 & 0xFFFF
                        elif f == 2:
                            un = u2 & 0xFFFF
                            nw = n2 & 0xFFFF
                            sg = s2 & 0xFFFF
                        if un and (sg | nw):
                            u = 0
                            v = 0
                            k = 1
                            x = 0
                            while x < 16:
                                if not (sg >> x) & 15:
                                    u |= k
                                    if (nw >> x) & 15:
                                        v |= k
                                k = k << 1
                                x += 4
                            if u:
                                w = tab[(u << 4) | v]
                                x = w >> 4
                                if x == 3:
                                    w |= 0x40
                                e[e3] = w
                                e3 += 1
                                c = costs[w]
                                if x == 3:
                                    a4 += c & 0xFF00FF
                                    b4 += (c >> 8) & 0xFF00FF
                                elif x == 2:
                                    a3 += c & 0xFF00FF
                                    b3 += (c >> 8) & 0xFF00FF
                                elif x == 1:
                                    a2 += c & 0xFF00FF
                                    b2 += (c >> 8) & 0xFF00FF
                        f += 1
                    f = 0
                    while f < 3:
                        un = u0 & 0xFFFF
                        nw = n0 & 0xFFFF
                        sg = s0 & 0xFFFF
                        if f == 1:
                            un = u1 & 0xFFFF
                            nw = n1 & 0xFFFF
                            sg = s1 & 0xFFFF
                        elif f == 2:
                            un = u2 & 0xFFFF
                            nw = n2 & 0xFFFF
                            sg = s2 & 0xFFFF
                        if un and (sg | nw):
                            sg |= nw
                            k = s[i6 + 3 + f]
                            while un:
                                u = un & 15
                                if u and sg & 15:
                                    v = nw & 15
                                    w = tab[(u << 4) | v]
                                    x = w >> 4
                                    if x == 3:
                                        w |= 0x40
                                    c = costs[w]
                                    if v:
                                        w |= (tab[(v << 4) | (k & v)] << 7) | 0x2000
                                    e[e3] = w
                                    e3 += 1
                                    if x == 3:
                                        a4 += c & 0xFF00FF
                                        b4 += (c >> 8) & 0xFF00FF
                                    elif x == 2:
                                        a3 += c & 0xFF00FF
                                        b3 += (c >> 8) & 0xFF00FF
                                    elif x == 1:
                                        a2 += c & 0xFF00FF
                                        b2 += (c >> 8) & 0xFF00FF
                                un = un >> 4
                                nw = nw >> 4
                                sg = sg >> 4
                                k = k >> 4
                        f += 1
            i += 1
        # least length; uncoded wins ties, then the smallest option (4.5.3.3.5)
        o2 = 3
        if (a2 & 0xFFFF) < ((b2 >> 16) & 0xFFFF):
            o2 = 0
        o3 = 3
        c = (b3 >> 16) & 0xFFFF
        if (a3 & 0xFFFF) < c:
            o3 = 0
            c = a3 & 0xFFFF
        if (b3 & 0xFFFF) < c:
            o3 = 1
        o4 = 3
        c = (b4 >> 16) & 0xFFFF
        if (a4 & 0xFFFF) < c:
            o4 = 0
            c = a4 & 0xFFFF
        if (b4 & 0xFFFF) < c:
            o4 = 1
            c = b4 & 0xFFFF
        if (a4 >> 16) < c:
            o4 = 2
        ends[gi] = e1
        ends[gi + 1] = e2
        ends[gi + 2] = e3
        ends[gi + 3] = o2 | (o3 << 2) | (o4 << 4)
        gi += 4


@micropython.viper
def _emit(a: ptr8, args: ptr32, t: ptr8):
    """Code the entries of stage args[3] from gaggle args[5] on, then of the next ones up to args[10], while out has room.

    args[3], [5] and [11] (place in the entries) are moved on. Bits 6-8 of a gaggle's options: which ids are already out."""
    base = int(a)
    e = ptr16(base + args[14])
    g = ptr16(base + args[17])
    out = ptr8(base + args[18])
    code = ptr16(int(t) + 768)
    stage = args[3]
    last_stage = args[10]
    i = args[5]
    count = args[6]
    end = (count + 15) >> 4
    at = args[11]
    pos = args[0]
    acc = args[1]
    bits = args[2]
    limit = args[16]
    while stage <= last_stage and pos < limit:
        last = g[4 * i + stage]
        o = g[4 * i + 3]
        while at < last:
            w = e[at]
            at += 1
            x = (w >> 4) & 3
            if x:
                k = (o >> ((x - 1) << 1)) & 3
                if not o & (32 << x):
                    o |= 32 << x
                    if x == 1:
                        acc = (acc << 1) | (k & 1)
                        bits += 1
                    else:
                        acc = (acc << 2) | k
                        bits += 2
                c = code[(k << 7) | (w & 0x7F)]
                x = c >> 8
                acc = (acc << x) | (c & 0xFF)
                bits += x
            else:
                acc = (acc << 1) | (w & 1)
                bits += 1
            w = w >> 7
            if w:  # bit 6: signs follow the word
                x = ((w >> 4) & 3) + 1
                acc = (acc << x) | (w & 15)
                bits += x
            while bits >= 8:
                bits -= 8
                out[pos] = acc >> bits
                pos += 1
            acc = acc & 0xFF
        g[4 * i + 3] = o
        i += 1
        if i == end:
            i = 0
            stage += 1
            at = count
            if stage == 2:
                at = 6 * count
    args[0] = pos
    args[1] = acc & ((1 << bits) - 1)
    args[2] = bits
    args[3] = stage
    args[5] = i
    args[11] = at


@micropython.viper
def _refine(a: ptr8, args: ptr32, t: ptr8) -> int:
    """Stage 4 for blocks args[5] .. args[6] while there is room: bits of what was significant before; then the plane's
    new ones become significant. Returns the next block."""
    base = int(a)
    s = ptr32(base + args[12])
    pm = ptr32(base + args[13])
    depth = ptr8(base + args[15])
    out = ptr8(base + args[18])
    tab = t
    b = args[4]
    i = args[5]
    end = args[6]
    pos = args[0]
    acc = args[1]
    bits = args[2]
    limit = args[16]
    vhl = 0x1FFFFF
    if b < 3:
        vhl = 0xFFFFF
    if b < 2:
        vhl = 0xFFFF
    if b < 1:
        vhl = 0
    vhh = 0x1FFFFF
    if b < 2:
        vhh = 0xFFFFF
    if b < 1:
        vhh = 0xFFFF
    while i < end and pos < limit:
        if depth[i] > b:
            j = i * 6
            k = i * 3
            p0 = pm[k]
            p1 = pm[k + 1]
            p2 = pm[k + 2]
            s0 = s[j] & vhl
            s1 = s[j + 1] & vhl
            s2 = s[j + 2] & vhh
            if s0 | s1 | s2:
                u = (s0 >> 20) | ((s1 >> 20) << 1) | ((s2 >> 20) << 2)
                if u:
                    v = (p0 >> 20) | ((p1 >> 20) << 1) | ((p2 >> 20) << 2)
                    w = tab[(u << 4) | (u & v)]
                    x = (w >> 4) + 1
                    acc = (acc << x) | (w & 15)
                    bits += x
                u = (s0 >> 16) & 15
                if u:
                    w = tab[(u << 4) | (u & (p0 >> 16))]
                    x = (w >> 4) + 1
                    acc = (acc << x) | (w & 15)
                    bits += x
                u = (s1 >> 16) & 15
                if u:
                    w = tab[(u << 4) | (u & (p1 >> 16))]
                    x = (w >> 4) + 1
                    acc = (acc << x) | (w & 15)
                    bits += x
                u = (s2 >> 16) & 15
                if u:
                    w = tab[(u << 4) | (u & (p2 >> 16))]
                    x = (w >> 4) + 1
                    acc = (acc << x) | (w & 15)
                    bits += x
                while bits >= 8:
                    bits -= 8
                    out[pos] = acc >> bits
                    pos += 1
                f = 0
                while f < 3:
                    u = s0 & 0xFFFF
                    v = p0
                    if f == 1:
                        u = s1 & 0xFFFF
                        v = p1
                    elif f == 2:
                        u = s2 & 0xFFFF
                        v = p2
                    while u:
                        x = u & 15
                        if x:
                            w = tab[(x << 4) | (x & v)]
                            x = (w >> 4) + 1
                            acc = (acc << x) | (w & 15)
                            bits += x
                        u = u >> 4
                        v = v >> 4
                    while bits >= 8:
                        bits -= 8
                        out[pos] = acc >> bits
                        pos += 1
                    acc = acc & 0xFF
                    f += 1
            s[j] = s[j] | p0
            s[j + 1] = s[j + 1] | p1
            s[j + 2] = s[j + 2] | p2
        i += 1
    args[0] = pos
    args[1] = acc & ((1 << bits) - 1)
    args[2] = bits
    return i


@micropython.viper
def _dc_bits(a: ptr8, args: ptr32, shift: int) -> int:
    # one bit plane of the (biased) DC coefficients of blocks args[5] .. args[6], while there is room
    base = int(a)
    dc = ptr16(base + args[19])
    out = ptr8(base + args[18])
    i = args[5]
    n = args[6]
    pos = args[0]
    acc = args[1]
    bits = args[2]
    limit = args[16]
    while i < n and pos < limit:
        acc = (acc << 1) | ((dc[i] >> shift) & 1)
        bits += 1
        if bits == 8:
            out[pos] = acc
            pos += 1
            acc = 0
            bits = 0
        i += 1
    args[0] = pos
    args[1] = acc
    args[2] = bits
    return i


@micropython.viper
def estimate(a: ptr8, p: ptr32, out: ptr32, plane: int):
    """Guess of the bits of p[0] converted blocks down to `plane` (low half of each out word) and to the plane above (high
    half), in eighths of a bit: a coefficient with v = magnitude >> plane > 0 costs about 4.75 + 1.25 log2 v."""
    base = int(a)
    n = p[0]
    f = 0
    while f < 3:
        r = 0
        while r < 7:
            row = ptr16(base + p[1 + 7 * f + r])
            per = 1
            s = plane - 3
            if r > 2:
                per = 4
                s = plane - 1
            elif r > 0:
                per = 2
                s = plane - 2
            if f == 2:
                s += 1
            i = 0
            while i < n:
                w = 0
                j = 0
                while j < per:
                    v = row[i * per + j] & 0x7FFF
                    if s > 0:
                        v = v >> s
                    elif s < 0:
                        v = v << (0 - s)
                    if v:
                        if v == 1:
                            w += 38
                        elif v < 4:
                            w += 0x26002F
                        elif v < 8:
                            w += 0x300039
                        elif v < 16:
                            w += 0x3A0043
                        else:
                            w += 0x48004D
                    j += 1
                if f | r == 0:
                    out[i] = w + 0x400040
                else:
                    out[i] = out[i] + w
                i += 1
            r += 1
        f += 1


@micropython.viper
def total(cost: ptr32, n: int, shift: int) -> int:
    """Sum of the 16-bit halves at `shift` of n words."""
    s = 0
    i = 0
    while i < n:
        s += (cost[i] >> shift) & 0xFFFF
        i += 1
    return s


@micropython.viper
def _start(s: ptr32, signs: ptr32, n: int):
    # nothing significant; the sign words (3 per block) move behind the significant ones
    i = n - 1
    while i >= 0:
        s[6 * i] = 0
        s[6 * i + 1] = 0
        s[6 * i + 2] = 0
        s[6 * i + 3] = signs[3 * i]
        s[6 * i + 4] = signs[3 * i + 1]
        s[6 * i + 5] = signs[3 * i + 2]
        i -= 1


@micropython.viper
def _dc_depth(dc: ptr16, n: int) -> int:
    # two's complement bits of the largest unweighted coefficient; dc is biased by 0x8000
    top = 0
    i = 0
    while i < n:
        v = dc[i] - 0x8000
        if v < 0:
            v = -1 - v
        top |= v
        i += 1
    d = 1
    while top:
        top = top >> 1
        d += 1
    return d


@micropython.viper
def _quantised(dc: ptr16, v: ptr16, n: int, shift: int):
    # the upper bits of DC, counted from the lowest value of their word length (so never negative)
    bias = v[0]
    i = 0
    while i < n:
        v[i] = ((dc[i] - 0x8000) >> shift) + bias
        i += 1


@micropython.viper
def _widen(depth: ptr8, v: ptr16, n: int):
    i = 0
    while i < n:
        v[i] = depth[i]
        i += 1


@micropython.viper
def _raw(v: ptr16, j: int, c: ptr32, out: ptr8):
    # the low c[10] bits of each of j values
    n = c[10]
    pos = c[0]
    acc = c[1]
    bits = c[2]
    m = (1 << n) - 1
    i = 0
    while i < j:
        acc = (acc << n) | (v[i] & m)
        bits += n
        while bits >= 8:
            bits -= 8
            out[pos] = acc >> bits
            pos += 1
        acc = acc & 0xFF
        i += 1
    c[0] = pos
    c[1] = acc & ((1 << bits) - 1)
    c[2] = bits


@micropython.viper
def _unary(v: ptr16, j: int, c: ptr32, out: ptr8):
    # v >> c[10] zeros and a one, each
    k = c[10]
    pos = c[0]
    acc = c[1]
    bits = c[2]
    i = 0
    while i < j:
        z = v[i] >> k
        while z >= 8:
            acc = acc << 8
            out[pos] = acc >> bits
            pos += 1
            z -= 8
        acc = (acc << (z + 1)) | 1
        bits += z + 1
        while bits >= 8:
            bits -= 8
            out[pos] = acc >> bits
            pos += 1
        acc = acc & 0xFF
        i += 1
    c[0] = pos
    c[1] = acc & ((1 << bits) - 1)
    c[2] = bits


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
                        continue
                    at = 768 + 2 * (option << 7 | key)
                    table[at] = c & 0xFF
                    table[at + 1] = c >> 8
                    table[256 + 4 * key + option] = c >> 8
    return table


def state_bytes(size):
    """Bytes of arena that a Coder for segments of `size` blocks needs."""
    return (_STATE + 2 * (_E1 + _E2 + _E3) + 2 + 1) * size + 8 * ((size + 15) >> 4) + 16 + _OUT


class Stop(Exception):
    """The sink wants no more of this segment."""


class Coder:
    """Codes blocks that lie in a Wavelet's rows, one segment at a time: load(), then header and encode().

    The bits of a segment go to sink(memoryview) as they come; when it returns True the rest of the segment is not coded."""

    def __init__(self, wavelet, at, size, sink, table=None):
        """at: offset of state_bytes(size) bytes in the wavelet's arena, size: blocks of the longest segment."""
        self.wavelet = wavelet
        self.size = size
        self.sink = sink
        self.table = table or tables()
        a = self._arena = wavelet.arena
        self.c = c = array("i", [0] * 20)
        at += -(wavelet.base + at) & 3
        c[12] = at
        c[13] = at + 24 * size
        c[17] = c[13] + 12 * size
        c[14] = c[17] + 8 * ((size + 15) >> 4)
        c[19] = c[14] + 2 * (_E1 + _E2 + _E3) * size
        c[15] = c[19] + 2 * size
        c[18] = c[15] + size
        self.end = c[18] + _OUT
        if self.end > len(a):
            raise MemoryError("segments of %d blocks need %d bytes of arena, has %d" % (size, self.end, len(a)))
        c[16] = _OUT - _ROOM  # drained from here on; a sink may lower it
        m = memoryview(a)
        self._significant = m[c[12] : c[13]]
        self._signs = m[c[12] : c[13]]
        self._plane = m[c[13] : c[17]]
        self._values = m[c[14] : c[14] + 2 * size]  # DC and depth differences, before there are entries
        self._g = m[c[17] : c[14]]
        self._dc = m[c[19] : c[15]]
        self.depths = m[c[15] : c[18]]
        self.out = m[c[18] : self.end]
        self._rows = array("i", [0] * 22)
        self.count = 0

    def convert(self, strip, depths):
        """Turn a finished strip's coefficients into sign and magnitude, once; depths: one byte per block, filled."""
        wide = self.wavelet.wide >> 3
        rows = self._rows
        done = 0
        while done < wide:
            self.wavelet.rows_of(strip, done, rows, 1)
            rows[0] = n = min(self.size, wide - done)
            signs(self._arena, rows, self._plane)
            _depths(self._plane, self._arena, rows, depths[done:])
            done += n

    def load(self, first, count, depths):
        """Blocks first .. first + count - 1 (raster order over the picture's blocks) become the segment; depths: their depths."""
        wide = self.wavelet.wide >> 3
        rows = self._rows
        a = self._arena
        self.first = first
        self.count = count
        self.depths[:count] = depths[:count]
        self.bit_depth_ac = max(depths[:count])
        done = 0
        while done < count:
            strip = (first + done) // wide
            column = (first + done) % wide
            n = min(count - done, wide - column)
            dc = self.wavelet.rows_of(strip, column, rows, 1)
            self._dc[2 * done : 2 * (done + n)] = a[dc : dc + 2 * n]
            rows[0] = n
            masks(a, rows, self._plane[12 * done :], 18)
            done += n
        _start(self._significant, self._plane, count)
        # two's complement bits of the largest weighted DC coefficient (4.3.1); DC is weighted by 2^3
        self.bit_depth_dc = _dc_depth(self._dc, count) + 3

    def _load_plane(self, b):
        rows = self._rows
        if rows[0] == self.count:  # all in one strip: the offsets are still there
            masks(self._arena, rows, self._plane, b)
            return
        wide = self.wavelet.wide >> 3
        done = 0
        while done < self.count:
            strip = (self.first + done) // wide
            column = (self.first + done) % wide
            n = min(self.count - done, wide - column)
            self.wavelet.rows_of(strip, column, rows, 1)
            rows[0] = n
            masks(self._arena, rows, self._plane[12 * done :], b)
            done += n

    def put(self, value, n):
        """Append n bits (header fields)."""
        while n > 16:
            n -= 16
            put(self.out, self.c, value >> n & 0xFFFF, 16)
        put(self.out, self.c, value & ((1 << n) - 1), n)

    def drain(self):
        n = self.c[_POS]
        if n:
            self.c[_POS] = 0
            if self.sink(self.out[:n]):
                raise Stop

    def restart(self):
        self.c[_POS] = self.c[_ACC] = self.c[_BITS] = 0

    def encode(self, optimal_dc=True, optimal_ac=True, dc_stop=False, plane_stop=0, stage_stop=3):
        """Everything behind the segment's header, up to the stop; then padding to a byte."""
        try:
            self._encode(optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop)
            if self.c[_BITS]:
                self.put(0, 8 - self.c[_BITS])
            self.drain()
        except Stop:
            pass

    def _encode(self, optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop):
        c = self.c
        a = self._arena
        count = self.count
        dc_bits = self.bit_depth_dc
        ac_bits = self.bit_depth_ac
        # 4.3.1.3: how many low planes of DC are left to the bit planes
        c[4] = 31
        half = 1 + (ac_bits >> 1)
        if dc_bits <= 3:
            q = 0
        elif dc_bits - half <= 1:
            q = dc_bits - 3
        elif dc_bits - half > 10:
            q = dc_bits - 10
        else:
            q = half
        q = max(q, 3)
        n = max(dc_bits - q, 1)
        values = self._values
        bias = 1 << (n - 1)
        values[0] = bias & 0xFF
        values[1] = bias >> 8
        _quantised(self._dc, values, count, q - 3)
        self._series(n, count, optimal_dc, True)
        for b in range(q - 1, max(ac_bits, 3) - 1, -1):
            self._dc_plane(b)
        if dc_stop or plane_stop >= ac_bits:  # 4.2.3.2.2
            return
        if ac_bits:
            n = 0
            while ac_bits >> n:
                n += 1
            _widen(self.depths, values, count)
            self._series(n, count, optimal_ac, False)
        for b in range(ac_bits - 1, plane_stop - 1, -1):
            if 3 <= b < q:
                self._dc_plane(b)
            self._load_plane(b)
            self.drain()  # what follows belongs to this plane, to the byte
            last = stage_stop if b == plane_stop else 3
            c[4] = b
            c[3] = c[5] = c[11] = 0
            c[6] = count
            c[10] = min(last, 2)
            _words(a, c, self.table)
            while c[3] <= c[10]:
                self._room()
                _emit(a, c, self.table)
            if last < 3:
                return
            c[3] = 3
            c[5] = 0
            c[6] = count
            while c[5] < count:
                self._room()
                c[5] = _refine(a, c, self.table)

    def _room(self):
        if self.c[_POS] >= self.c[16]:
            self.drain()

    def _dc_plane(self, b):
        c = self.c
        c[5] = 0
        c[6] = self.count
        while c[5] < self.count:
            self._room()
            c[5] = _dc_bits(self._arena, c, b - 3)

    def _series(self, n, count, optimal, signed):
        # the values in _values: raw bits for n = 1, else differences in gaggles of 16 (4.3.2, 4.4)
        c = self.c
        v = self._values
        out = self.out
        i = 0
        if n == 1:
            while i < count:
                self._room()
                j = min(i + 16, count)
                c[10] = 1
                _raw(v[2 * i :], j - i, c, out)
                i = j
            return
        _dpcm(v, count, 0, (1 << n) - 1)
        id_bits = 1 if n == 2 else 2 if n <= 4 else 3 if n <= 8 else 4
        while i < count:
            self._room()
            j = min(i + 16, count)
            first = 1 if i == 0 else 0
            part = v[2 * (i + first) :]
            m = j - i - first
            k = _rice_k(part, m, n, 1 if optimal else 0) if m else -1
            put(out, c, k & ((1 << id_bits) - 1), id_bits)
            if first:
                # the reference: two's complement for DC, plain for depths
                r = v[0] | v[1] << 8
                put(out, c, r ^ (1 << (n - 1)) if signed else r, n)
            if k < 0:
                c[10] = n
                _raw(part, m, c, out)
            else:
                c[10] = k
                _unary(part, m, c, out)
                if k:
                    _raw(part, m, c, out)
            i = j
