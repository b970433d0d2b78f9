package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// wantCause notes that the event names a cause; the walk over the lines, or
// the journal, must have it.
func (c *checker) wantCause(where, cause string) {
	if kind, seq, ok := strings.Cut(cause, ":"); ok && !strings.Contains(cause, "@") {
		n, err := strconv.ParseUint(seq, 10, 64)
		if err != nil || n >= uint64(len(c.journal.kinds)) || kind != c.journal.kinds[n] && kind != "entry" {
			c.fail("owned", where, "its cause %s is no such entry", cause)
		}
		return
	}
	id, off, ok := parsePosition(cause)
	if !ok {
		c.fail("owned", where, "its cause %q is neither a position nor an entry", cause)
		return
	}
	if c.causes[id] == nil {
		c.causes[id] = map[int64]string{}
	}
	c.causes[id][off] = where
}

// readCauses looks for the causes that stand in owned lanes, and tells of
// those that stand nowhere.
func (c *checker) readCauses() error {
	for id, wanted := range c.causes {
		if len(wanted) > 0 && owned(id.lane) && c.journal.extents[id] != nil {
			found := len(c.found)
			err := c.walk(id, func(id segmentID, _ *extent, l line) { delete(wanted, l.off) })
			c.found = c.found[:found] // told of before
			if err != nil {
				return err
			}
		}
		for off, where := range wanted {
			if pos := id.at(off); !c.saved[pos] && !c.destroyed(pos) {
				c.fail("I3", where, "its cause %s is no line", pos)
			}
		}
	}
	return nil
}

// checkIDs makes every derived id again: the first 32 hex digits of
// SHA-256(board_id, 0x00, cause, 0x00, handler, 0x00, number).
func (c *checker) checkIDs() {
	if len(c.opt.Handlers) == 0 {
		return
	}
	many := map[string]int{}
	for _, e := range c.events {
		many[e.cause]++
	}
	for _, e := range c.events {
		if !c.derivable(e, many[e.cause]+32) {
			c.fail("owned", e.where, "id %s follows from cause %s by none of the handlers %v", e.id, e.cause, c.opt.Handlers)
		}
	}
}

func (c *checker) derivable(e derivedEvent, numbers int) bool {
	for _, h := range c.opt.Handlers {
		for n := range numbers {
			if DerivedID(c.boardID, e.cause, h, n) == e.id {
				return true
			}
		}
	}
	return false
}

// DerivedID is the id of a derived event, as 1-board.md has it.
func DerivedID(board, cause, handler string, number int) string {
	text := strings.Join([]string{board, cause, handler, strconv.Itoa(number)}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
