package cli

import (
	"fmt"
	"os"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

type reindexCmd struct {
	Lane []string `arg:"" optional:"" help:"Lanes, LANE@SEGMENT or files (default: all archives)."`
}

// Help says the rest.
func (reindexCmd) Help() string {
	return "Makes index and seek table of archives anew; their frames are copied byte for byte. An index is a cache: a missing or damaged one costs time, never an answer. Use it after a damage that archive check found, or after contracts gained indexed fields."
}

// Run rebuilds one archive after the other.
func (c *reindexCmd) Run(a *app) error {
	l, entries, err := a.archives(c.Lane)
	if err != nil {
		return err
	}
	s, err := a.someSettings(l)
	if err != nil {
		return err
	}
	src, err := a.sources(l)
	if err != nil {
		return err
	}
	p := a.printer()
	bad := 0
	progress := a.progress("archives done")
	for i, e := range entries {
		progress(uint64(i))
		if a.ctx.Err() != nil {
			return a.stopped(a.ctx.Err())
		}
		made, err := archive.Rebuild(archive.RebuildRequest{
			Path: e.Path, Source: src.of(e.Lane, e.Segment), Seal: src.seals[segmentName(e.Lane, e.Segment)],
			Write: archive.WriteOptions{FrameBytes: s.ArchiveFrameBytes, Level: s.ArchiveLevel, IDs: s.IndexIDs},
		})
		if err != nil {
			bad++
			a.note("stigmergy: %v", err)
			continue
		}
		err = p.add(record{text("path", e.Path), number("lines", made.Lines), number("frames", made.Frames), number("index_bytes", made.IndexBytes)})
		if err != nil {
			return err
		}
	}
	if err := p.close(); err != nil || bad == 0 {
		return err
	}
	return &Fault{Doing: "making indexes anew", Found: fmt.Sprintf("%d archives that are damaged", bad), Try: "stigmergy archive check", Code: codeUsage}
}

// archiveSources are what the journal and the quarantine know of segments.
type archiveSources struct {
	runs    map[string][]archive.Run
	refused map[string]map[int64]int // by segment and offset: recovered bytes into the line, or 0
	seals   map[string]*archive.Seal
	checker *contracts.Checker
	policy  *contracts.Policy
}

// sources reads the whole journal and all records of refused lines.
func (a *app) sources(l layout.Layout) (*archiveSources, error) {
	out := &archiveSources{runs: map[string][]archive.Run{}, refused: map[string]map[int64]int{}}
	var err error
	if out.checker, out.policy, err = a.rules(l)(); err != nil {
		return nil, err
	}
	if out.seals, err = a.seals(l); err != nil {
		return nil, err
	}
	_, err = journal.Scan(l, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind == journal.Input || e.Kind == journal.Derived {
			key := segmentName(e.Lane, e.Segment)
			out.runs[key] = append(out.runs[key], archive.Run{Seq: e.Seq, Time: e.Time, Lines: e.Lines})
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	_, err = a.refused(&selectFlags{}, nil, nil, func(r *refusedLine) error {
		pos, err := contracts.ParsePosition(r.pos)
		if err != nil || r.reason == string(contracts.ReasonForeign) {
			return nil // no line of a lane that was taken in
		}
		key := segmentName(pos.Lane, pos.Segment)
		if out.refused[key] == nil {
			out.refused[key] = map[int64]int{}
		}
		into := 0
		if at, err := contracts.ParsePosition(r.ev.Get("data.recovered").Text()); err == nil {
			into = int(at.Offset - pos.Offset)
		}
		out.refused[key][pos.Offset] = into
		return nil
	})
	return out, queryFault(err)
}

// of is one segment's source.
func (s *archiveSources) of(lane string, segment uint64) archive.Source {
	key := segmentName(lane, segment)
	rules := archive.Contracts{
		Registry: s.checker.Registry, Checker: s.checker,
		Forged: func(t *contracts.Topic) bool { return s.policy.Forged(t, lane) },
	}
	if !layout.Owned(lane) { // records of refused lines are no events, whatever was refused
		rules.Refused = func(offset int64) (bool, int) {
			into, ok := s.refused[key][offset]
			return ok, into
		}
	}
	return archive.Source{Lane: lane, Segment: segment, Runs: s.runs[key], Extract: archive.NewExtractor(rules)}
}
