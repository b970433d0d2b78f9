package cli

import (
	"errors"
	"strings"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

type topicsCmd struct {
	Topic  []string `arg:"" optional:"" help:"Topics or patterns, as 'hxo.shard.*' (default: all)."`
	Sample bool     `help:"Print a valid event of each topic instead."`
}

// Help says the rest.
func (topicsCmd) Help() string {
	return `A board's own contracts (BOARD/contracts/TOPIC.schema.json) are shown beside the built-in ones.

A sample is a whole event that passes its contract; post it with: stigmergy topics TOPIC --sample -o jsonl | stigmergy post --lines`
}

// Run prints the event matrix.
func (c *topicsCmd) Run(a *app) error {
	topics, err := a.topics(c.Topic)
	if err != nil {
		return err
	}
	if c.Sample {
		return printSamples(a, topics)
	}
	p := a.printer()
	for _, t := range topics {
		if err := p.add(topicRecord(t, p.format == "text" || p.format == "table")); err != nil {
			return err
		}
	}
	return p.close()
}

// topicRecord is a topic's row of the event matrix; the short one fits on a
// screen.
func topicRecord(t *contracts.Topic, short bool) record {
	r := record{text("topic", t.Name), text("direction", t.Direction), text("producer", t.Producer)}
	if short {
		return append(r, text("consumers", strings.Join(t.Consumers, ", ")), text("frequency", t.Frequency),
			text("lane", laneOf(t)), text("indexed", strings.Join(t.Index, ",")), text("ordering", t.Ordering))
	}
	return append(r, value("consumers", list(t.Consumers)), text("frequency", t.Frequency), text("ordering", t.Ordering),
		value("index", list(t.Index)), text("purpose", t.Title), text("version", t.Version), text("owner", t.Owner),
		text("lane", t.Lane), flag("request", t.Request), flag("builtin", t.Builtin))
}

// laneOf is where a topic stands: an owner's lane is marked.
func laneOf(t *contracts.Topic) string {
	switch {
	case t.Owner != "":
		return t.Owner + " (only)"
	case t.Lane != "":
		return t.Lane
	}
	return "any"
}

// list is never null in JSON.
func list(s []string) []string { return append([]string{}, s...) }

// topics are those that the patterns select; one that selects nothing is a
// fault that names the closest topic.
func (a *app) topics(patterns []string) ([]*contracts.Topic, error) {
	l, err := a.board()
	if err != nil && (a.line.Board != "" || !errors.Is(err, layout.ErrNoBoard)) {
		return nil, err
	}
	reg, _, err := a.registry(l)
	if err != nil {
		return nil, err
	}
	if len(patterns) == 0 {
		return reg.Topics(), nil
	}
	ps, err := contracts.ParsePatterns(patterns)
	if err != nil {
		return nil, badUse(err)
	}
	var out []*contracts.Topic
	hit := make([]bool, len(ps))
	for _, t := range reg.Topics() {
		found := false
		for i, p := range ps {
			if p.Match(t.Name) {
				hit[i], found = true, true
			}
		}
		if found {
			out = append(out, t)
		}
	}
	for i, ok := range hit {
		if !ok {
			return out, noTopic(reg, patterns[i])
		}
	}
	return out, nil
}

func noTopic(reg *contracts.Registry, name string) error {
	var names []string
	for _, t := range reg.Topics() {
		names = append(names, t.Name)
	}
	f := &Fault{Doing: "looking up a contract", Expected: "a topic with a contract", Found: quote(name), Try: "stigmergy topics", Code: codeNone}
	if best := settings.Closest(name, names); best != "" {
		f.Try = "stigmergy topics " + best
	}
	return f
}

func printSamples(a *app, topics []*contracts.Topic) error {
	p := a.printer()
	if p.format == "text" {
		p.format = "jsonl"
	}
	for _, t := range topics {
		line, err := sample(t)
		if err != nil {
			return err
		}
		if err := p.line(line); err != nil {
			return err
		}
	}
	return p.close()
}

// line prints a whole line of ours, in the formats that know lines.
func (p *printer) line(line []byte) error {
	p.wrote++
	switch p.format {
	case "json":
		p.buf = append(append(p.buf[:0], arrayMark(p.wrote)...), p.safe(line)...)
	default:
		p.buf = append(append(p.buf[:0], p.safe(line)...), '\n')
	}
	_, err := p.a.out.Write(p.buf)
	return err
}
