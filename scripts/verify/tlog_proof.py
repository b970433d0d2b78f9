#!/usr/bin/env python3
"""Checks a proof that `stigmergy prove` made, and shares no code with it.

    tlog_proof.py PROOF VKEY     exit 0: it holds, and the line (of a shard: its leaf) is printed; 1: it does not

Formats: c2sp.org/tlog-proof, tlog-checkpoint, signed-note; RFC 6962; docs/proofs.md.
Ed25519 is done by openssl, hashing by hashlib; nothing else is needed.
"""
import base64, hashlib, json, re, subprocess, sys, tempfile

def leaf(b): return hashlib.sha256(b"\0" + b).digest()
def node(l, r): return hashlib.sha256(b"\1" + l + r).digest()

def included(index, size, h, path, root):
    """RFC 9162, 2.1.3.2: one index and size allow one length of path."""
    if not 0 <= index < size: return False
    fn, sn = index, size - 1
    for p in path:
        if sn == 0: return False
        if fn & 1 or fn == sn:
            h = node(p, h)
            while not fn & 1 and fn: fn, sn = fn >> 1, sn >> 1
        else:
            h = node(h, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and h == root

def signed(text, sig, key):
    with tempfile.TemporaryDirectory() as d:
        def put(name, b):
            with open(d + "/" + name, "wb") as f: f.write(b)
            return d + "/" + name
        der = bytes.fromhex("302a300506032b6570032100") + key
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", put("k", der), "-rawin",
            "-in", put("t", text), "-sigfile", put("s", sig)], capture_output=True).returncode == 0

def b64(s):
    b = base64.b64decode(s, validate=True)
    assert base64.b64encode(b).decode() == s, "base64 is not as it is written"
    return b

def check(proof, vkey):
    name, kid, key = vkey.strip().split("+", 2)
    key = b64(key)
    assert key[0] == 1 and hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == kid, "no Ed25519 key"
    head, text, sigs = proof.split("\n\n", 2)
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ") and lines[2].startswith("index "), "no proof of a line"
    origin, size, root = text.split("\n")
    assert re.fullmatch("0|[1-9][0-9]*", size), "no size"
    good = [s for n, s in (l[2:].rsplit(" ", 1) for l in sigs.splitlines()) if n == name and b64(s)[:4].hex() == kid]
    assert good and all(signed((text + "\n").encode(), b64(s)[4:], key[1:]) for s in good), "not signed"
    x = json.loads(b64(lines[1][6:]))
    index, path = int(lines[2][6:]), [b64(l) for l in lines[3:]]
    if x.get("kind") == "stigmergy.shard.v1":  # a plan's tree: its leaf is the text itself
        f = x["leaf"].split("\n")
        assert f[0] == x["kind"] and len(f) == 7 and f[6] == "" and f[3] == f[4][:16], "no leaf of a plan"
        assert origin == name + "/plan/" + f[1], "another plan"
        assert included(index, int(size), leaf(x["leaf"].encode()), path, b64(root)), "the shard is not under the certificate"
        return x["leaf"][:-1].encode()
    assert origin == name, "another log"
    assert included(index, int(size), leaf(x["entry"].encode()), path, b64(root)), "the entry is not under the checkpoint"
    e, line = json.loads(x["entry"]), x["line"].encode() if "line" in x else b64(x["line_base64"])
    lane, at = x["position"].rsplit("@", 1)
    segment, offset = map(int, at.split(":"))
    assert (e["seq"], e["lane"], e["segment"], e["lines"]) == (index, lane, segment, x["lines"]) and e["from"] <= offset < e["to"], "another place"
    assert x["sum"] == hashlib.sha256((x["position"] + "\n" + x["leaf"]).encode()).hexdigest()[:16] and x["leaf"] == leaf(line).hex(), "another offset"
    assert included(x["index"], e["lines"], leaf(line), [bytes.fromhex(p) for p in x["path"]], bytes.fromhex(e["root"])), "the line is not in the batch"
    return line

try:
    with open(sys.argv[1], newline="") as f: out = check(f.read(), sys.argv[2])
    sys.stdout.buffer.write(out + b"\n")
except Exception as e:
    sys.exit("the proof does not hold: %s: %s" % (type(e).__name__, e))
