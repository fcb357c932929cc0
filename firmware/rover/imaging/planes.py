"""Inner loops of the bit-plane coder in viper (portable; planes_thumb.py has them in assembler). Arguments: bitplanes.py."""

import micropython


@micropython.viper
def words(a: ptr8, args: ptr32, t: ptr8):
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
def emit(a: ptr8, args: ptr32, t: ptr8):
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
def refine(a: ptr8, args: ptr32, t: ptr8) -> int:
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
    args[5] = i
    return i
