package query

import (
	"bytes"
	"context"
)

// Context runs a request with a pattern and gives, like grep -B and -A, the
// events around each match: those that the rest of the request selects. match
// tells them apart; gap is true for the first one behind others left out.
func (e *Engine) Context(ctx context.Context, req Request, before, after int, fn func(h *Hit, match, gap bool) error) (Result, error) {
	g := req.Grep
	req.Grep = nil
	limit := req.Limit
	req.Limit = 0
	c := &around{fn: fn, before: before}
	var matched int64
	res, err := e.Run(ctx, req, func(h *Hit) error {
		if g.Match(trim(h.Line)) {
			if limit > 0 && matched >= int64(limit) {
				return errEnough
			}
			matched++
			return c.match(h, after)
		}
		if limit > 0 && matched >= int64(limit) && c.left == 0 {
			return errEnough
		}
		return c.other(h)
	})
	res.Matched = matched
	return res, err
}

// around keeps the events before a match that may come.
type around struct {
	fn     func(h *Hit, match, gap bool) error
	before int
	kept   []*Hit
	left   int  // how many behind the last match are still given
	gap    bool // something was left out
	some   bool // something was given
}

func (c *around) match(h *Hit, after int) error {
	for _, k := range c.kept {
		if err := c.give(k, false); err != nil {
			return err
		}
	}
	c.kept, c.left = c.kept[:0], after
	return c.give(h, true)
}

func (c *around) other(h *Hit) error {
	if c.left > 0 {
		c.left--
		return c.give(h, false)
	}
	if c.before == 0 {
		c.gap = true
		return nil
	}
	if len(c.kept) == c.before {
		copy(c.kept, c.kept[1:])
		c.kept = c.kept[:c.before-1]
		c.gap = true
	}
	k := *h
	k.Line, k.parsed = bytes.Clone(h.Line), false
	c.kept = append(c.kept, &k)
	return nil
}

func (c *around) give(h *Hit, match bool) error {
	gap := c.gap && c.some
	c.gap, c.some = false, true
	return c.fn(h, match, gap)
}
