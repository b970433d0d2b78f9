package blackboard

import (
	"bytes"

	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// intake is one batch on its way: read, then parsed (in any goroutine), then
// committed. Its buffers are used again.
type intake struct {
	batch   Batch
	tail    *tail
	to      int64
	rest    []byte // of an unfinished line that follows, in buf
	root    merkle.Hash
	checker *contracts.Checker
	buf     []byte
	done    chan struct{}
}

// parse cuts the bytes into lines, checks each and hashes them all. It depends
// on nothing but the bytes and the contracts.
func (in *intake) parse() {
	b := &in.batch
	b.Lines = b.Lines[:0]
	var tree merkle.Tree
	var ev contracts.Event
	raw := b.Raw
	for off := 0; off < len(raw); {
		n := bytes.IndexByte(raw[off:], '\n')
		end := off + n
		b.Lines = append(b.Lines, Line{Off: off, End: end})
		tree.Add(merkle.LeafHash(raw[off:end]))
		checkLine(in.checker, raw[off:end], &b.Lines[len(b.Lines)-1], &ev)
		off = end + 1
	}
	in.root = tree.Root()
}

// checkLine says whether a line is an event, and which.
func checkLine(c *contracts.Checker, line []byte, l *Line, ev *contracts.Event) {
	if contracts.Blank(line) {
		l.Blank = true
		return
	}
	if l.Refusal = c.Check(line, ev); l.Refusal != nil {
		return
	}
	l.Event = Parsed{Env: ev.Env, Topic: ev.Topic}
	if bytes.HasPrefix(line, bom) && len(ev.Line) < len(line) {
		l.Event.Off = uint32(len(bom))
	}
	l.Event.End = l.Event.Off + uint32(len(ev.Line))
}

var bom = []byte("\xef\xbb\xbf")

// rootOf is the RFC 6962 root over the lines of whole, LF-ended bytes.
func rootOf(raw []byte) (root merkle.Hash, lines int64) {
	var tree merkle.Tree
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '\n')
		if n < 0 {
			n = len(raw)
		}
		tree.Add(merkle.LeafHash(raw[:n]))
		raw = raw[min(n+1, len(raw)):]
	}
	return tree.Root(), int64(tree.Size())
}
