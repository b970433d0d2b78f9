package blackboard

import (
	"bytes"
	"strconv"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/contracts"
)

// parseSnapshot reads the lines between a snapshot's header and its last line,
// whose checksum is good: they are what encodeSnapshot wrote. A restart waits
// for this, and there is a line for every lane and every key.
func parseSnapshot(body []byte) (lines []snapLine, tails []tailRecord, ok bool) {
	r := snapReader{ok: true}
	for line := range bytes.Lines(body) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if l, t := r.line(line); t != nil {
			tails = append(tails, *t)
		} else {
			lines = append(lines, l)
		}
		if !r.ok {
			return nil, nil, false
		}
	}
	return lines, tails, true
}

// snapReader remembers whether everything was as it should be. A name that it
// does not know is another version's: such a snapshot counts for nothing.
type snapReader struct{ ok bool }

func (r *snapReader) members(object []byte, fn func(key string, v contracts.Value) bool) {
	some := false
	r.ok = contracts.Members(object, func(key []byte, v contracts.Value) bool {
		some = true
		return fn(string(key), v) && r.ok
	}) && r.ok && some
}

func (r *snapReader) line(object []byte) (l snapLine, tail *tailRecord) {
	r.members(object, func(key string, v contracts.Value) bool {
		switch key {
		case "tail":
			tail = r.tail(v)
		case "k":
			l.Key = v.Text()
		case "v":
			text := v.Text()
			l.Text = &text
		case "b":
			l.Bytes = v.Text()
		case "d":
			l.Delete = r.bool(v)
		default:
			return false
		}
		return true
	})
	return l, tail
}

func (r *snapReader) tail(v contracts.Value) *tailRecord {
	t := &tailRecord{}
	r.members(v.Raw, func(key string, v contracts.Value) bool {
		switch key {
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
	r.members(v.Raw, func(key string, v contracts.Value) bool {
		switch key {
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
	r.members(v.Raw, func(key string, v contracts.Value) bool {
		switch key {
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
