package blackboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/contracts"
)

// loaded is what the newest good chain of snapshots holds.
type loaded struct {
	header snapHeader
	tails  []tailRecord
	keys   []snapKey // in order, none twice, none deleted
	chain  int64     // bytes of deltas behind the full one
	full   int64
}

// snapKey is one line of a snapshot that is of a key; its bytes are the file's.
type snapKey struct {
	key, value []byte
	deleted    bool
}

// load reads the newest full snapshot and the deltas behind it, as far as they
// are good for this board and this journal.
func (s snapshots) load(ok func(snapHeader) bool) *loaded {
	files := s.list()
	for i := len(files) - 1; i >= 0; i-- {
		if !files[i].full {
			continue
		}
		c := chain{ok: ok}
		if !c.add(files[i]) {
			continue
		}
		st := &loaded{full: files[i].size}
		for _, d := range files[i+1:] {
			if d.full || !c.add(d) {
				break
			}
			st.chain += d.size
		}
		tails, good := parseTails(c.body)
		if !good {
			continue
		}
		st.header, st.tails, st.keys = c.header, tails, c.keys()
		return st
	}
	return nil
}

// chain is a full snapshot and deltas as they are read. Every file has all
// tails: those of the last one count.
type chain struct {
	ok      func(snapHeader) bool
	header  snapHeader
	body    []byte // of the last file
	full    []snapKey
	changes map[string]snapKey // what deltas say, the newest of a key
}

func (c *chain) add(f snapFile) bool {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return false
	}
	head, body, end, good := splitSnapshot(text)
	if !good || head.Seq != f.seq || !c.ok(head) || !f.full && head.Since != c.header.Seq {
		return false
	}
	sum := sha256.Sum256(text[:len(text)-len(end)])
	var l snapLine
	if json.Unmarshal(end, &l) != nil || !l.End || l.SHA256 != hex.EncodeToString(sum[:]) {
		return false
	}
	keys, good := parseKeys(body)
	if !good {
		return false
	}
	if f.full {
		c.full = keys
	} else {
		c.change(keys)
	}
	c.header, c.body = head, body
	return true
}

func (c *chain) change(keys []snapKey) {
	if c.changes == nil {
		c.changes = make(map[string]snapKey, len(keys))
	}
	for _, k := range keys {
		c.changes[string(k.key)] = k
	}
}

// keys is what is left of all files. A state is put back in the order of its
// keys, which costs a fraction of any other.
func (c *chain) keys() []snapKey {
	out := c.full
	if len(c.changes) > 0 {
		out = make([]snapKey, 0, len(c.full)+len(c.changes))
		for _, k := range c.full {
			if _, newer := c.changes[string(k.key)]; !newer {
				out = append(out, k)
			}
		}
		for _, k := range c.changes {
			if !k.deleted {
				out = append(out, k)
			}
		}
	}
	slices.SortFunc(out, func(a, b snapKey) int { return bytes.Compare(a.key, b.key) })
	return out
}

func splitSnapshot(text []byte) (h snapHeader, body, end []byte, ok bool) {
	n := bytes.IndexByte(text, '\n')
	if n < 0 || text[len(text)-1] != '\n' {
		return h, nil, nil, false
	}
	if json.Unmarshal(text[:n], &h) != nil || h.V != 1 {
		return h, nil, nil, false
	}
	at := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	if at <= n {
		return h, nil, nil, false
	}
	return h, text[n+1 : at], text[at:], true
}

// tailLine begins a line that is of a tail. Those stand before the keys.
var tailLine = []byte(`{"tail":`)

// parseTails and parseKeys read the lines between a snapshot's header and its
// last line, whose checksum is good: they are what encodeSnapshot wrote. A
// restart waits for them, and there is a line for every lane and every key.
func parseTails(body []byte) (tails []tailRecord, ok bool) {
	r := snapReader{ok: true}
	for line := range bytes.Lines(body) {
		if !bytes.HasPrefix(line, tailLine) {
			break
		}
		tails = append(tails, r.tail(contracts.Lookup(bytes.TrimSuffix(line, newline), "tail")))
	}
	return tails, r.ok
}

func parseKeys(body []byte) (keys []snapKey, ok bool) {
	r := snapReader{ok: true}
	for line := range bytes.Lines(body) {
		if !bytes.HasPrefix(line, tailLine) {
			keys = append(keys, r.key(bytes.TrimSuffix(line, newline)))
		}
	}
	return keys, r.ok
}

var newline = []byte("\n")

// snapReader remembers whether everything was as it should be. A name that it
// does not know is another version's: such a snapshot counts for nothing.
type snapReader struct{ ok bool }

func (r *snapReader) members(object []byte, fn func(key []byte, v contracts.Value) bool) {
	some := false
	r.ok = contracts.Members(object, func(key []byte, v contracts.Value) bool {
		some = true
		return fn(key, v) && r.ok
	}) && r.ok && some
}

func (r *snapReader) key(object []byte) (k snapKey) {
	r.members(object, func(key []byte, v contracts.Value) bool {
		switch string(key) {
		case "k":
			k.key = v.TextBytes()
		case "v":
			k.value = v.TextBytes()
		case "b":
			value, err := base64.StdEncoding.DecodeString(v.Text())
			k.value, r.ok = value, r.ok && err == nil
		case "d":
			k.deleted = r.bool(v)
		default:
			return false
		}
		return true
	})
	return k
}

func (r *snapReader) tail(v contracts.Value) (t tailRecord) {
	r.members(v.Raw, func(key []byte, v contracts.Value) bool {
		switch string(key) {
		case "lane":
			t.Lane = v.Text()
		case "segment":
			t.Segment = r.uint(v)
		case "path":
			t.Path = v.Text()
		case "home":
			t.Home = v.Text()
		case "gone":
			t.Gone = lanes.Reason(r.uint(v))
		case "base":
			t.Base = r.int(v)
		case "mark":
			r.mark(v, &t.Mark)
		case "offset":
			t.Offset = r.int(v)
		case "stage":
			t.Stage = stage(r.uint(v))
		case "first":
			r.cursor(v, &t.First)
		case "born":
			t.Born = r.int(v)
		case "last":
			t.Last = r.int(v)
		case "limit":
			t.Limit = r.int(v)
		case "copied":
			t.Copied = r.bool(v)
		case "unsure":
			t.Unsure = r.bool(v)
		case "keep":
			t.Keep = r.int(v)
		case "warned":
			t.Warned = r.bool(v)
		default:
			return false
		}
		return true
	})
	return t
}

func (r *snapReader) mark(v contracts.Value, m *lanes.Mark) {
	r.members(v.Raw, func(key []byte, v contracts.Value) bool {
		switch string(key) {
		case "dev":
			m.Dev = r.uint(v)
		case "ino":
			m.Ino = r.uint(v)
		case "birth":
			m.Birth = r.int(v)
		case "ctime":
			m.Ctime = r.int(v)
		case "size":
			m.Size = r.int(v)
		case "uid":
			m.UID = uint32(r.uint(v))
		case "offset":
			m.Offset = r.int(v)
		case "head":
			return m.Head.UnmarshalText(v.TextBytes()) == nil
		case "tail":
			return m.Tail.UnmarshalText(v.TextBytes()) == nil
		default:
			return false
		}
		return true
	})
}

func (r *snapReader) cursor(v contracts.Value, c *journal.Cursor) {
	r.members(v.Raw, func(key []byte, v contracts.Value) bool {
		switch string(key) {
		case "segment":
			c.Segment = r.uint(v)
		case "offset":
			c.Offset = r.int(v)
		default:
			return false
		}
		return true
	})
}

func (r *snapReader) int(v contracts.Value) int64 {
	n, ok := v.Int()
	r.ok = r.ok && ok
	return n
}

func (r *snapReader) uint(v contracts.Value) uint64 {
	n, err := strconv.ParseUint(string(v.Raw), 10, 64)
	r.ok = r.ok && err == nil
	return n
}

func (r *snapReader) bool(v contracts.Value) bool {
	b, ok := v.Bool()
	r.ok = r.ok && ok
	return b
}
