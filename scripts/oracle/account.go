package oracle

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// record is one line of quarantine/LANE.jsonl.
type record struct {
	Position  string  `json:"position"`
	Lane      string  `json:"lane"`
	Length    *int64  `json:"length"`
	SHA256    string  `json:"sha256"`
	Reason    string  `json:"reason"`
	Line      *string `json:"line"`
	Base64    *string `json:"line_base64"`
	Recovered any     `json:"recovered"`

	where string
}

// derivedEvent is what is kept of a line in an owned lane.
type derivedEvent struct {
	where, id, cause string
}

// ownedLine reads a line that the daemon derived.
func (c *checker) ownedLine(id segmentID, x *extent, l line) {
	c.sum.Derived++
	if strings.HasPrefix(id.lane, "quarantine/") {
		c.quarantineRecord(id, l)
		return
	}
	var e struct {
		SpecVersion, ID, Source, Type, Time, Cause string
		Data                                       struct {
			Position string
			Reason   string
		}
	}
	where := id.at(l.off)
	if err := json.Unmarshal(l.text, &e); err != nil {
		c.fail("owned", where, "no event: %v", err)
		return
	}
	if e.SpecVersion != "1.0" || e.ID == "" || e.Source != id.lane || e.Type == "" || e.Time == "" {
		c.fail("owned", where, "not a complete event of this lane: specversion %q id %q source %q type %q time %q", e.SpecVersion, e.ID, e.Source, e.Type, e.Time)
	}
	if at, err := time.Parse(time.RFC3339Nano, e.Time); err != nil || !at.Equal(x.time) {
		c.fail("owned", where, "time %s, its cause was journaled at %s", e.Time, x.time.Format(time.RFC3339Nano))
	}
	if other, twice := c.ids[e.ID]; twice {
		c.fail("I2", where, "id %s stands at %s too", e.ID, other)
	}
	c.ids[e.ID] = where
	c.events = append(c.events, derivedEvent{where, e.ID, e.Cause})
	c.wantCause(where, e.Cause)
	if e.Type == "board.quarantined" {
		c.announced[e.Data.Position]++
	}
}

func (c *checker) quarantineRecord(id segmentID, l line) {
	r := record{where: id.at(l.off)}
	if err := json.Unmarshal(l.text, &r); err != nil {
		c.fail("I4", r.where, "no quarantine record: %v", err)
		return
	}
	if r.Lane != id.lane && "quarantine/"+r.Lane != id.lane || !strings.HasPrefix(r.Position, r.Lane+"@") || r.Length == nil || r.Reason == "" {
		c.fail("I4", r.where, "a record of lane %q, position %q, reason %q", r.Lane, r.Position, r.Reason)
		return
	}
	c.records[r.Position] = append(c.records[r.Position], r)
}

// inputLine accounts for a line that somebody else wrote.
func (c *checker) inputLine(id segmentID, x *extent, l line) {
	c.sum.Lines++
	where := id.at(l.off)
	v := judge(l, c.opt.MaxLine)
	recs := c.records[where]
	told := c.announced[where]
	delete(c.records, where)
	delete(c.announced, where)
	if wanted := c.causes[id]; wanted != nil {
		delete(wanted, l.off)
	}
	c.workerLine(id, l)
	switch {
	case v.blank:
		c.sum.Blank++
		if len(recs)+told > 0 {
			c.fail("I4", where, "a blank line was refused")
		}
		return
	case len(recs) > 0:
		c.sum.Quarantined++
		c.refused(where, id, l, v, recs, told)
	default:
		c.sum.Valid++
		if len(v.must) > 0 && c.opt.Quiet {
			c.fail("I4", where, "the line is %v, and no record says so", v.must)
		}
		if told > 0 {
			c.fail("I4", where, "board.quarantined names it, and no record holds it")
		}
	}
	if !strings.HasPrefix(id.lane, "workers/") {
		c.truth.saw(l, len(recs) > 0, c.recovered(recs, l))
	}
}

// refused: one record and one event, and the record holds the line.
func (c *checker) refused(where string, id segmentID, l line, v verdict, recs []record, told int) {
	r := recs[0]
	if len(recs) > 1 {
		c.fail("I4", where, "%d quarantine records, at %s and %s", len(recs), r.where, recs[1].where)
	}
	if told > 1 || told == 0 && c.opt.Quiet {
		c.fail("I4", where, "%d board.quarantined events, one expected", told)
	}
	if !v.allows(r.Reason) {
		c.fail("I4", where, "refused for %s, by encoding/json it is %v", r.Reason, v.must)
	}
	if *r.Length != l.length || r.SHA256 != hex.EncodeToString(l.sum[:]) {
		c.fail("I4", r.where, "length %d sha256 %s, the line has %d and %x", *r.Length, r.SHA256, l.length, l.sum)
	}
	if l.length > c.opt.MaxLine {
		return // its first KiB is kept
	}
	var got []byte
	switch {
	case r.Line != nil:
		got = []byte(*r.Line)
	case r.Base64 != nil:
		got, _ = base64.StdEncoding.DecodeString(*r.Base64)
	}
	if !bytes.Equal(got, l.text) {
		c.fail("I4", r.where, "the record does not hold the line's %d bytes, but %d others", l.length, len(got))
	}
}

// recovered is the record that was saved out of a mangled line.
func (c *checker) recovered(recs []record, l line) []byte {
	if len(recs) == 0 || recs[0].Recovered == nil {
		return nil
	}
	at := int64(-1)
	switch v := recs[0].Recovered.(type) {
	case float64:
		at = int64(v)
	case string:
		if i := strings.LastIndexByte(v, ':'); i >= 0 {
			if n, err := strconv.ParseInt(v[i+1:], 10, 64); err == nil {
				at = n - l.off
			}
		}
	}
	if at <= 0 || at >= l.length {
		c.fail("I4", recs[0].where, "recovered is %v, no place inside the line", recs[0].Recovered)
		return nil
	}
	c.sum.Recovered++
	if id, off, ok := parsePosition(recs[0].Position); ok {
		c.saved[id.at(off+at)] = true
	}
	return l.text[at:]
}

// reconcile: what is left over belongs to no line.
func (c *checker) reconcile() error {
	for pos, recs := range c.records {
		if r := recs[0]; r.Reason != "foreign" && !c.destroyed(pos) {
			c.fail("I3", r.where, "a record of the line %s, which is not there", pos)
		}
		if told := c.announced[pos]; c.opt.Quiet && told != len(recs) {
			c.fail("I4", recs[0].where, "%d records and %d board.quarantined events for %s", len(recs), told, pos)
		}
		delete(c.announced, pos)
	}
	for pos, n := range c.announced {
		if !c.destroyed(pos) {
			c.fail("I3", pos, "%d board.quarantined events name it, no record holds it", n)
		}
	}
	c.checkIDs()
	c.checkSeals()
	return nil
}

// destroyed says whether the position lies in a range noted as gone.
func (c *checker) destroyed(pos string) bool {
	id, off, ok := parsePosition(pos)
	g, noted := c.journal.gone[id]
	return ok && noted && off >= g.from && off < g.to
}

func parsePosition(s string) (segmentID, int64, bool) {
	lane, place, ok := strings.Cut(s, "@")
	seg, off, ok2 := strings.Cut(place, ":")
	n, err1 := strconv.ParseUint(seg, 10, 64)
	o, err2 := strconv.ParseInt(off, 10, 64)
	return segmentID{lane, n}, o, ok && ok2 && err1 == nil && err2 == nil
}
