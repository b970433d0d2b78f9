package cli

import (
	"bytes"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/daemon"
)

// dedupDepth is how many of its lane's last ids --dedup looks at.
const dedupDepth = 10_000

// duplicate tells whether one of the lane's last ids is id, and where it
// stands. The lane is read once.
func (p *poster) duplicate(id string) (position string, dup bool, err error) {
	if !p.cmd.Dedup {
		return "", false, nil
	}
	if p.seen == nil {
		p.seen = map[string]string{}
		e, err := query.Open(p.l, query.Options{Rules: p.a.rules(p.l)})
		if err != nil {
			return "", false, err
		}
		defer e.Close()
		_, err = e.Run(p.a.ctx, query.Request{Lane: p.lane, Last: dedupDepth}, func(h *query.Hit) error {
			p.seen[h.Event().ID()] = h.Pos.String()
			return nil
		})
		if err != nil {
			return "", false, queryFault(err)
		}
	}
	position, dup = p.seen[id]
	return position, dup, nil
}

// timestamp is the data's own timestamp, if it has one that is a string.
func timestamp(data []byte) string {
	if !bytes.Contains(data, []byte(`"timestamp"`)) {
		return ""
	}
	ev := contracts.Event{Line: append(append([]byte(`{"type":"x","data":`), data...), '}')}
	if contracts.Scan(ev.Line, &ev.Env) != nil {
		return ""
	}
	v := ev.Get("data.timestamp")
	if v.Kind != contracts.String {
		return ""
	}
	return v.Text()
}

// postWatch waits for what comes of a post.
type postWatch struct {
	p    *poster
	e    *query.Engine
	from query.Cursor
}

// watch begins to look before anything is appended, so that no answer is
// missed; nil when nobody asked.
func (p *poster) watch(wanted bool) (*postWatch, error) {
	if !wanted {
		return nil, nil
	}
	return &postWatch{p: p}, nil
}

// outcome waits until the daemon has taken pos in and tells what came of it.
func (w *postWatch) outcome(pos contracts.Position) error {
	if w == nil {
		return nil
	}
	if !daemon.Held(w.p.l) {
		return noDaemon("waiting for "+pos.String(), w.p.l)
	}
	return nil
}
