package cli

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

type postCmd struct {
	Topic string `arg:"" optional:"" help:"The event's topic, as build.done."`
	Data  string `arg:"" optional:"" name:"json" help:"Its data: JSON, @FILE, or - for standard input. Without it: {}."`

	Lane    string        `short:"l" placeholder:"LANE" help:"The lane to append to (default: $$STIGMERGY_LANE, else post-USER)."`
	Source  string        `short:"s" placeholder:"SOURCE" help:"Who says it (default: the lane)."`
	ID      string        `name:"id" placeholder:"ID" help:"Its id (default: a new UUIDv7)."`
	Subject string        `placeholder:"TEXT" help:"What it is about."`
	Time    string        `placeholder:"TIME" help:"When it happened: RFC 3339, 10m, yesterday (default: now)."`
	Sync    bool          `help:"Return only once the line is on the disk."`
	Dedup   bool          `help:"Append nothing if one of the lane's last 10,000 events has this id."`
	Lines   bool          `help:"Append whole events, one a line, from standard input."`
	Wait    bool          `help:"Wait until the daemon took the event in, and tell what came of it."`
	Timeout time.Duration `default:"30s" placeholder:"TIME" help:"How long --wait waits."`
}

// Help says the rest.
func (postCmd) Help() string {
	return `The event is checked against its contract first; what is refused is not appended (exit 65 with the reason, 77 for a topic that the daemon owns). One line is one write, whatever its size; a line that somebody left unfinished is ended first. Prints the event's id and its position.

With --lines every line of standard input is a whole event, appended as it is. Good lines are appended, bad ones are reported with their number, and the exit status is then 65 (77 if all of them were forged).

With --wait: exit 65 if it was quarantined, 77 if a policy rejected it, 1 if it was rejected for another reason, 75 at once if no daemon holds the board (the event stays on it), 124 after --timeout.`
}

// poster is one post at work.
type poster struct {
	a        *app
	cmd      *postCmd
	l        layout.Layout
	lane     string // escaped
	settings *settings.Settings
	checker  contracts.Checker
	policy   *contracts.Policy
	file     *laneFile
	segment  uint64            // of file; 0: not known yet
	seen     map[string]string // id → position, for --dedup
	rows     *printer          // of many, for --lines
}

// Run appends one event, or all of standard input.
func (c *postCmd) Run(a *app) error {
	p, err := c.open(a)
	if err != nil {
		return err
	}
	defer p.close()
	if c.Lines {
		if c.Topic != "" {
			return usage("posting lines", "no TOPIC beside --lines", quote(c.Topic), "stigmergy post --lines < FILE")
		}
		return p.lines(a.in)
	}
	if c.Topic == "" {
		return usage("posting", "a TOPIC", "none", "stigmergy topics")
	}
	data, err := p.data()
	if err != nil {
		return err
	}
	line, err := p.build(data)
	if err != nil {
		return err
	}
	return p.one(line)
}

// open finds the board, the lane and what is in force there.
func (c *postCmd) open(a *app) (*poster, error) {
	l, err := a.board()
	if err != nil {
		return nil, err
	}
	if c.Lane == "" {
		c.Lane = a.getenv("STIGMERGY_LANE")
	}
	p := &poster{a: a, cmd: c, l: l}
	if p.lane, err = c.lane(a); err != nil {
		return nil, err
	}
	if p.settings, err = a.someSettings(l); err != nil {
		return nil, err
	}
	reg, faults, err := a.registry(l)
	if err != nil {
		return nil, err
	}
	for _, f := range faults {
		a.note("stigmergy: %s: %s; the contract is not in force", f.path, f.fault.Error)
	}
	p.checker = contracts.Checker{Registry: reg, MaxLine: int(p.settings.MaxLine), UnknownTopics: p.settings.UnknownTopics}
	p.policy, err = contracts.NewPolicy(p.settings.Roles, p.settings.PolicyForeignOwned, uint32(os.Getuid()), userName)
	return p, badUse(err)
}

// close lets go of the lane.
func (p *poster) close() {
	if p.file != nil {
		p.file.close()
	}
}

func userName(uid uint32) string {
	u, err := user.LookupId(itoa(int(uid)))
	if err != nil {
		return ""
	}
	return u.Username
}

// lane is the escaped name of the lane to write: one that may be written by
// anybody, inside the board.
func (c *postCmd) lane(a *app) (string, error) {
	raw := c.Lane
	if raw == "" {
		name := a.getenv("USER")
		if u, err := user.Current(); name == "" && err == nil {
			name = u.Username
		}
		raw = "post-" + cmp.Or(strings.NewReplacer("/", "_", `\`, "_").Replace(name), "unknown")
	}
	raw = strings.TrimSuffix(raw, layout.LaneExt)
	lane, ok := layout.LaneName(raw + layout.LaneExt)
	if !ok || strings.ContainsRune(raw, 0) || len(raw) > 1024 {
		return "", usage("posting", "a lane inside the board, as agents/7 (no .. or dot-folders, not archive/ or contracts/)", quote(raw), "stigmergy post -l agents/7 …")
	}
	if layout.Owned(lane) || layout.Worker(lane) || strings.HasPrefix(lane, "workers/") {
		return "", &Fault{Doing: "posting", Expected: "a lane of your own", Found: quote(raw) + ", which only the daemon writes",
			Try: "stigmergy post -l agents/7 …", Code: codePolicy}
	}
	return lane, nil
}

// data is the event's data as one JSON value.
func (p *poster) data() ([]byte, error) {
	arg := p.cmd.Data
	var raw []byte
	var err error
	name := "the command line"
	switch {
	case arg == "":
		return []byte("{}"), nil
	case arg == "-":
		name = "standard input"
		raw, err = readAtMost(p.a.in, int64(p.checker.MaxLine))
	case strings.HasPrefix(arg, "@"):
		name = arg[1:]
		raw, err = readData(name, int64(p.checker.MaxLine))
	default:
		raw = []byte(arg)
	}
	if err != nil {
		return nil, &Fault{Doing: "reading the event's data", Path: name, Err: err, Code: codeUsage}
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return []byte("{}"), nil
	}
	return compactJSON(raw, name)
}

func readData(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, limit)
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("more than max_line, %s", settings.FormatSize(limit))
	}
	return raw, err
}

// compactJSON puts a JSON value on one line, its numbers and strings as they
// were written.
func compactJSON(raw []byte, name string) ([]byte, error) {
	var out bytes.Buffer
	if json.Compact(&out, raw) == nil {
		return out.Bytes(), nil
	}
	f := &Fault{Doing: "reading the event's data", Path: name, Expected: "one JSON value", Found: quote(string(raw)), Code: codeRefused}
	line := append(append([]byte(`{"type":"x","data":`), raw...), '}')
	if r := contracts.Scan(line, new(contracts.Envelope)); r != nil && len(r.Errors) > 0 {
		f.Try = r.Errors[0].Hint
	}
	return nil, f
}

// build makes the complete line, without LF.
func (p *poster) build(data []byte) ([]byte, error) {
	at, err := p.time(data)
	if err != nil {
		return nil, err
	}
	raw, err := contracts.UnescapeLane(p.lane)
	if err != nil {
		return nil, badUse(err)
	}
	b := contracts.Build{
		ID: p.cmd.ID, Source: p.cmd.Source, Type: p.cmd.Topic, Subject: p.cmd.Subject,
		Time: at, Data: data, Digest: true,
	}
	if b.Source == "" {
		b.Source = strings.ToValidUTF8(raw, "�")
	}
	if b.ID == "" {
		if b.ID, err = p.a.uuid(); err != nil {
			return nil, err
		}
	}
	return b.Append(nil), nil
}

// uuid is a new UUIDv7.
func (a *app) uuid() (string, error) {
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return "", fmt.Errorf("making an id: %w", err)
	}
	return contracts.UUIDv7(a.now().UnixMilli(), rnd), nil
}

const timeLayout = "2006-01-02T15:04:05.000000000Z"

// time is --time, else the data's own timestamp where the topic's contract
// has one (the two must agree), else now.
func (p *poster) time(data []byte) (string, error) {
	if p.cmd.Time != "" {
		if _, err := time.Parse(time.RFC3339Nano, p.cmd.Time); err == nil {
			return p.cmd.Time, nil // as it was written
		}
		t, err := query.ParseTime(p.cmd.Time, p.a.now())
		if err != nil {
			return "", badUse(err)
		}
		return t.UTC().Format(timeLayout), nil
	}
	if t := p.checker.Registry.Topic([]byte(p.cmd.Topic)); t != nil && bytes.Contains(t.Schema, []byte(`"timestamp"`)) {
		stamp := timestamp(data)
		if _, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			return stamp, nil
		}
	}
	return p.a.now().UTC().Format(timeLayout), nil
}

// one checks and appends one event and prints where it went.
func (p *poster) one(line []byte) error {
	var ev contracts.Event
	if err := p.check(line, &ev, "posting "+p.cmd.Topic); err != nil {
		return err
	}
	if pos, dup, err := p.duplicate(ev.ID()); dup || err != nil {
		if err != nil {
			return err
		}
		p.a.note("stigmergy: the lane holds this id already; nothing was appended")
		return p.print(ev.ID(), pos)
	}
	w, err := p.watch(p.cmd.Wait)
	if err != nil {
		return err
	}
	pos, err := p.append(line)
	if err != nil {
		return err
	}
	if err := p.print(ev.ID(), pos.String()); err != nil {
		return err
	}
	if err := p.a.out.flush(); err != nil {
		return err
	}
	w.add(ev.ID(), pos)
	return w.outcome()
}

// append writes a checked line, synced if asked, and tells where it stands.
func (p *poster) append(line []byte) (contracts.Position, error) {
	if p.file != nil && p.file.moved() {
		p.file.close() // rotated: the segment waits for us to let go
		p.file = nil
	}
	if p.file == nil {
		f, err := openLane(p.l, p.lane)
		if err != nil {
			return contracts.Position{}, err
		}
		p.file, p.segment = f, 0
	}
	offset, err := p.file.append(line)
	if err == nil && p.cmd.Sync {
		err = p.file.sync()
	}
	if err != nil {
		return contracts.Position{}, appendFault(p.l, err)
	}
	if p.segment == 0 || p.file.moved() {
		if p.segment, err = segmentOf(p.l, p.file); err != nil {
			return contracts.Position{}, err
		}
	}
	return contracts.Position{Lane: p.lane, Segment: p.segment, Offset: offset}, nil
}

// appendFault says which disk is full.
func appendFault(l layout.Layout, err error) error {
	f := &Fault{Doing: "appending to the lane", Err: err, Code: codeDisk, Try: "stigmergy doctor"}
	if diskFailed(err) {
		f.Try = "df -h " + shellQuote(l.Dir)
	}
	return f
}

func (p *poster) print(id, pos string) error {
	switch p.a.line.Output {
	case "", "text":
		_, err := fmt.Fprintf(p.a.out, "%s %s\n", visible(id), pos)
		return err
	}
	r := record{text("id", id), text("position", pos)}
	if p.cmd.Lines && p.rows == nil {
		p.rows = p.a.printer()
	}
	if p.rows != nil {
		return p.rows.add(r)
	}
	return p.a.one(r)
}

// check says why a line must not be appended: exit 65, or 77 for a forgery.
func (p *poster) check(line []byte, ev *contracts.Event, doing string) error {
	r := p.checker.Check(line, ev)
	if (r == nil || r.Reason == contracts.ReasonContract) && p.policy.Forged(ev.Topic, p.lane) { // mending the data would not help
		return &Fault{Doing: doing, Position: "/type", Expected: "a topic that this lane may carry",
			Found: fmt.Sprintf("%s, which only lane %s carries", ev.TopicName, ev.Topic.Owner),
			Try:   "stigmergy topics " + ev.TopicName, Code: codePolicy}
	}
	if r != nil {
		return refusal(doing, r)
	}
	return nil
}

// refusal is why a line is no event, as an error.
func refusal(doing string, r *contracts.Refusal) error {
	f := &Fault{Doing: doing, Err: errors.New(string(r.Reason)), Code: codeRefused}
	if len(r.Errors) == 0 {
		return f
	}
	e := r.Errors[0]
	f.Position, f.Expected, f.Found = e.Pointer, e.Expected, e.Got
	switch {
	case e.Hint != "":
		f.Try = e.Hint
	case r.Topic != "":
		f.Try = "stigmergy topics " + r.Topic + " --sample"
	default:
		f.Try = "stigmergy topics"
	}
	if n := len(r.Errors); n > 1 {
		f.Err = fmt.Errorf("%s, the first of %d errors", r.Reason, n)
	}
	return f
}
