# A stranger's verifier of shard proofs: VKEY FILE... It shares no code with
# what made them. RFC 6962 hashing, C2SP tlog-proof and signed notes; Ed25519 is
# RFC 8032's own arithmetic, so that nothing but Python is needed.
import base64, hashlib, json, sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT = pow(2, (P - 1) // 4, P)


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(s, a):
    out = (0, 1, 1, 0)
    while s:
        if s & 1:
            out = add(out, a)
        a, s = add(a, a), s >> 1
    return out


def point(b):
    y, sign = int.from_bytes(b, "little") & (2**255 - 1), b[31] >> 7
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT % P
    assert (x * x - x2) % P == 0, "no point"
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def signed(key, text, sig):
    base = point(bytes.fromhex("58" + "66" * 31))
    s = int.from_bytes(sig[32:], "little")
    h = int.from_bytes(hashlib.sha512(sig[:32] + key + text).digest(), "little") % L
    a, b = mul(s, base), add(point(sig[:32]), mul(h, point(key)))
    return s < L and (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def b64(s):
    out = base64.b64decode(s, validate=True)
    assert base64.b64encode(out).decode() == s, "base64"
    return out


def verify(vkey, text):
    name, kid, k64 = vkey.split("+", 2)
    key = b64(k64)
    assert hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == kid and key[0] == 1, "key"
    head, note = text.split("\n\n", 1)
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ") and lines[2].startswith("index "), "head"
    extra, index, path = json.loads(b64(lines[1][6:])), int(lines[2][6:]), [b64(x) for x in lines[3:]]
    assert str(index) == lines[2][6:] and index >= 0, "index"
    body, sigs = note.split("\n\n", 1)
    good = False
    for line in sigs.rstrip("\n").split("\n"):
        dash, who, sig = line.split(" ")
        raw = b64(sig)
        if dash == "\u2014" and who == name and raw[:4].hex() == kid:
            assert signed(key[1:], (body + "\n").encode(), raw[4:]), "signature"
            good = True
    assert good, "not signed by this key"
    origin, size, root = body.split("\n")
    size, root, leaf = int(size), b64(root), extra["leaf"]
    f = leaf.split("\n")
    assert extra["kind"] == f[0] == "stigmergy.shard.v1" and len(f) == 7 and f[6] == "" and f[3] == f[4][:16], "leaf"
    assert origin == name + "/plan/" + f[1], "origin"
    h, i, last = hashlib.sha256(b"\0" + leaf.encode()).digest(), index, size - 1
    assert i <= last, "index"
    for p in path:
        assert last > 0, "path too long"
        while i == last and not i & 1:  # promoted
            i, last = i >> 1, last >> 1
        pair = p + h if i & 1 else h + p
        h, i, last = hashlib.sha256(b"\1" + pair).digest(), i >> 1, last >> 1
    assert last == 0 and h == root, "root"


for name in sys.argv[2:]:
    try:
        verify(sys.argv[1], open(name, encoding="utf-8").read())
        print("ok", name)
    except Exception as e:
        print("bad", name, e)
