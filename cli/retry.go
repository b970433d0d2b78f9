package cli

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

type quarantineRetry struct {
	Position []string `arg:"" optional:"" help:"Refused lines, by position."`
	selectFlags
	Topic []string `placeholder:"TOPIC" help:"All open refused lines of these topics."`
	All   bool     `help:"All open refused lines."`
}

// Help says the rest.
func (quarantineRetry) Help() string {
	return "Each line is checked against the contracts in force first; one that would be refused again stays as it is: exit 65. What is appended goes to the line's own lane and carries retryof, the position of the refused line."
}

// Run appends what is now good.
func (c *quarantineRetry) Run(a *app) error {
	todo, err := a.chosen(c.Position, c.Topic, c.All, &c.selectFlags)
	if err != nil {
		return err
	}
	l, err := a.board()
	if err != nil {
		return err
	}
	worst := codeOK
	for _, r := range todo {
		if err := a.retry(l, r); err != nil {
			var f *Fault
			if !errors.As(err, &f) || f.Code != codeRefused && f.Code != codePolicy {
				return err
			}
			told := *f
			told.Try = "stigmergy explain " + r.pos
			a.tell(&told, f.Code, a.line.Output == "json")
			worst = f.Code
		}
	}
	return exitWith(worst)
}

// keptLine is a refused line to be worked on after the engine is closed.
type keptLine struct {
	pos, lane string
	line      []byte
	whole     bool
}

// chosen are the open refused lines that positions, topics or --all name.
func (a *app) chosen(positions, topics []string, all bool, sel *selectFlags) ([]keptLine, error) {
	if len(positions) == 0 && len(topics) == 0 && !all {
		return nil, usage("choosing refused lines", "positions, --topic or --all", "none of them", "stigmergy quarantine ls")
	}
	marks, err := a.marks()
	if err != nil {
		return nil, a.stopped(err)
	}
	want := map[string]bool{}
	for _, p := range positions {
		want[p] = true
	}
	var out []keptLine
	_, err = a.refused(sel, topics, marks, func(r *refusedLine) error {
		if len(positions) > 0 && !want[r.pos] || len(positions) == 0 && r.state != "open" {
			return nil
		}
		delete(want, r.pos)
		line, whole := r.line()
		out = append(out, keptLine{pos: r.pos, lane: r.ev.Get("data.lane").Text(), line: bytes.Clone(line), whole: whole})
		return nil
	})
	if err != nil {
		return nil, a.stopped(queryFault(err))
	}
	for p := range want {
		return nil, notRefused(p)
	}
	return out, nil
}

func (a *app) retry(l layout.Layout, r keptLine) error {
	doing := "retrying " + r.pos
	if !r.whole {
		return &Fault{Doing: doing, Expected: "the whole line", Found: "only its beginning, for it was too long", Code: codeRefused}
	}
	p, err := (&postCmd{Lane: r.lane}).open(a)
	if err != nil {
		return err
	}
	var ev contracts.Event
	if err := p.check(r.line, &ev, doing); err != nil {
		return err
	}
	line := withRetryOf(ev.Line, &ev.Env, r.pos)
	if err := p.check(line, &ev, doing); err != nil {
		return err
	}
	pos, err := p.append(line)
	if err != nil {
		return err
	}
	p.close()
	return p.print(cmp.Or(ev.ID(), pos.String()), pos.String())
}

// withRetryOf adds the attribute retryof at the end of a line, and a new
// linedigest where there was one.
func withRetryOf(line []byte, env *contracts.Envelope, pos string) []byte {
	head := bytes.TrimRight(line, " \t\r")
	head = head[:len(head)-1]
	digest := false
	if at := bytes.LastIndex(head, []byte(`,"linedigest"`)); at > 0 && env.LineDigest.Present() && int(env.LineDigest.Off) > at {
		head, digest = head[:at], true
	}
	out := append(bytes.Clone(head), `,"retryof":`...)
	out = contracts.AppendString(out, pos)
	if digest {
		sum := sha256.Sum256(out)
		out = append(out, `,"linedigest":"`...)
		out = append(hex.AppendEncode(out, sum[:]), '"')
	}
	return append(out, '}')
}

type quarantineDrop struct {
	Position []string `arg:"" optional:"" help:"Refused lines, by position."`
	selectFlags
	Topic  []string `placeholder:"TOPIC" help:"All open refused lines of these topics."`
	All    bool     `help:"All open refused lines."`
	Reason string   `placeholder:"TEXT" help:"Why."`
	Post   string   `name:"as" placeholder:"LANE" help:"The lane that the marks go to (default: as for post)."`
}

// Help says the rest.
func (quarantineDrop) Help() string {
	return "Appends one quarantine.drop a line; quarantine ls leaves those out then (--all shows them)."
}

// Run appends the marks.
func (c *quarantineDrop) Run(a *app) error {
	todo, err := a.chosen(c.Position, c.Topic, c.All, &c.selectFlags)
	if err != nil {
		return err
	}
	p, err := (&postCmd{Topic: "quarantine.drop", Lane: c.Post}).open(a)
	if err != nil {
		return err
	}
	defer p.close()
	for _, r := range todo {
		data := contracts.AppendString([]byte(`{"position":`), r.pos)
		if c.Reason != "" {
			data = contracts.AppendString(append(data, `,"reason":`...), c.Reason)
		}
		line, err := p.build(append(data, '}'))
		if err != nil {
			return err
		}
		if err := p.one(line); err != nil {
			return err
		}
	}
	return nil
}
