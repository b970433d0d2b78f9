package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stigmergy/blackboard"
	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/daemon"
)

type statusCmd struct {
	Quiet bool `short:"q" help:"Print nothing: exit 0 if a daemon holds the board, 1 if not."`
}

// Help says the rest.
func (statusCmd) Help() string {
	return "Works with and without a daemon. The settings are those of this environment and the board's file; a running daemon's flags may differ."
}

// boardStatus is one look at a board.
type boardStatus struct {
	Board    string         `json:"board"`
	BoardID  string         `json:"board_id"`
	Up       bool           `json:"up"`
	Holder   string         `json:"holder,omitempty"`
	Seq      uint64         `json:"seq"` // of the next entry
	Durable  *uint64        `json:"durable,omitempty"`
	Last     string         `json:"last,omitempty"` // time of the newest entry
	Paused   string         `json:"paused,omitempty"`
	Pending  int64          `json:"pending_bytes"`
	Lanes    []laneLook     `json:"lanes"`
	Segments map[string]int `json:"segments"` // stored ones by stage
	Archives archiveLook    `json:"archives"`
	Disk     diskLook       `json:"disk"`
	Watch    any            `json:"watch,omitempty"`
	Effects  map[string]int `json:"outstanding,omitempty"`
	// Waiting are events that wait for their turn to be published.
	Waiting  []blackboard.Waiting `json:"waiting,omitempty"`
	Settings map[string]setting   `json:"settings"`

	names []string // of settings, in the table's order
}

type setting struct {
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// laneLook is one lane as its file and the journal show it.
type laneLook struct {
	Lane            string `json:"lane"`
	Path            string `json:"path"`
	Segment         uint64 `json:"segment"`
	Offset          int64  `json:"offset"` // taken in
	Size            int64  `json:"size"`
	Pending         int64  `json:"pending_bytes"`
	UnfinishedBytes int64  `json:"unfinished_bytes,omitempty"`
	UnfinishedMS    int64  `json:"unfinished_ms,omitempty"`
	Modified        string `json:"modified"`
	Problem         string `json:"problem,omitempty"` // why it is no lane
	Unreadable      bool   `json:"unreadable,omitempty"`

	age time.Duration
}

type archiveLook struct {
	Count    int   `json:"count"`
	RawBytes int64 `json:"raw_bytes"`
	Bytes    int64 `json:"archive_bytes"`
	Lines    int64 `json:"lines"`
}

type diskLook struct {
	Free int64 `json:"free_bytes"`
	All  int64 `json:"size_bytes"`
}

// Run looks once.
func (c *statusCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	if c.Quiet {
		if daemon.Held(l) {
			return nil
		}
		return exitWith(codeNone)
	}
	s, err := a.look(l)
	if err != nil {
		return err
	}
	if f := a.format(); f != "text" && f != "table" {
		return a.object(s)
	}
	return s.text(a)
}

func (a *app) daemonStatus(l layout.Layout) (*blackboard.Status, error) {
	st := &blackboard.Status{}
	return st, daemon.Ask(a.ctx, l, "GET", "/status", st)
}

// look gathers everything that status shows.
func (a *app) look(l layout.Layout) (*boardStatus, error) {
	s := &boardStatus{Board: l.Dir, Up: daemon.Held(l), Segments: map[string]int{}, Settings: map[string]setting{}}
	set, err := a.someSettings(l)
	if err != nil {
		return nil, err
	}
	set.Each(func(name, value, origin string) {
		s.Settings[name] = setting{value, origin}
		s.names = append(s.names, name)
	})
	if s.BoardID, err = l.ID(); err != nil {
		return nil, err
	}
	state, err := blackboard.Peek(l)
	if err != nil {
		return nil, err
	}
	s.Seq = state.Next
	if state.Time != 0 {
		s.Last = showTime(state.Time)
	}
	if s.Up {
		s.Holder = strings.TrimPrefix(daemon.Holder(l), ": ")
		if st, err := a.daemonStatus(l); err == nil {
			s.Seq, s.Durable, s.Paused, s.Watch, s.Effects = st.Seq, &st.Durable, st.Paused, st.Watch, st.Outstanding
			s.Waiting = st.Waiting
			for _, t := range st.Lanes {
				s.Segments[t.Stage]++
				if t.Stage == "active" {
					state.Moved(t.Lane, t.Path)
				}
			}
		}
	}
	if s.Lanes, err = a.lanes(l, state); err != nil {
		return nil, err
	}
	for _, lane := range s.Lanes {
		s.Pending += lane.Pending
	}
	s.archives(l)
	s.Disk.Free, s.Disk.All, err = diskFree(l.Dir)
	return s, err
}

func (s *boardStatus) archives(l layout.Layout) {
	c, err := archive.OpenCatalog(l, archive.NewDecoder())
	if err != nil {
		return // doctor tells
	}
	for _, e := range c.Entries() {
		s.Archives.Count++
		s.Archives.RawBytes += e.Summary.RawBytes
		s.Archives.Bytes += e.Size
		s.Archives.Lines += e.Summary.Lines
	}
	if s.Up {
		return
	}
	_ = l.Stored(func(st layout.Stored) error { // a count: what cannot be listed is not counted
		if !st.Archive {
			s.Segments["rotated"]++
		}
		return nil
	})
}

// lanes looks at every lane file and what the journal says of it.
func (a *app) lanes(l layout.Layout, state *blackboard.Standing) ([]laneLook, error) {
	var out []laneLook
	names := map[[2]uint64]string{} // of files with several
	err := l.Lanes(func(lane, rel string, e fs.DirEntry) error {
		look := laneLook{Lane: lane, Path: rel, Segment: 1}
		if !e.Type().IsRegular() {
			look.Problem = "it is a " + kindOfFile(e.Type())
			out = append(out, look)
			return nil
		}
		fi, err := e.Info()
		if err != nil {
			return nil // gone since
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
			id := [2]uint64{uint64(st.Dev), uint64(st.Ino)}
			if first := names[id]; first != "" {
				look.Problem = "it is a second name of " + first
				out = append(out, look)
				return nil
			}
			names[id] = rel
		}
		look.Size, look.age = fi.Size(), a.now().Sub(fi.ModTime())
		look.Modified = showTime(fi.ModTime().UnixNano())
		if home := state.Renamed[lane]; home != "" {
			look.Lane = home // until its next rotation
		}
		if ls := state.Lanes[look.Lane]; ls != nil {
			look.Segment = currentSegment(ls)
			if !ls.Ended {
				look.Offset = ls.Offset
			}
		}
		look.Pending = max(look.Size-look.Offset, 0)
		look.unfinished(filepath.Join(l.Dir, rel))
		out = append(out, look)
		return nil
	})
	sort.Slice(out, func(i, j int) bool { return out[i].Lane < out[j].Lane })
	return out, err
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeSymlink != 0:
		return "link"
	case m&fs.ModeNamedPipe != 0:
		return "FIFO"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// unfinishedMost bounds what is read for a line that never ends.
const unfinishedMost = 256 << 20

// unfinished measures a last line that has no newline, up to unfinishedMost of
// it.
func (look *laneLook) unfinished(path string) {
	if look.Size == 0 {
		return
	}
	f, err := os.OpenFile(path, os.O_RDONLY|openGuards, 0)
	if err != nil {
		look.Unreadable = errors.Is(err, fs.ErrPermission)
		return
	}
	defer f.Close()
	// Most lines are whole: one byte tells.
	for end, n := look.Size, int64(1); end > max(0, look.Size-unfinishedMost); n = min(64*n, 1<<20) {
		at := max(0, end-n)
		buf := make([]byte, end-at)
		if got, err := f.ReadAt(buf, at); err != nil && got < len(buf) {
			return // it shrank: the next look
		}
		if i := bytes.LastIndexByte(buf, '\n'); i >= 0 {
			look.UnfinishedBytes = look.Size - at - int64(i) - 1
			break
		}
		look.UnfinishedBytes, end = look.Size-at, at
	}
	if look.UnfinishedBytes > 0 {
		look.UnfinishedMS = max(look.age.Milliseconds(), 0)
	}
}

// diskFree is what is left for us and the size of the board's file system.
func diskFree(dir string) (free, all int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}

func parseInt(raw []byte) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// text prints the look for people.
func (s *boardStatus) text(a *app) error {
	w := &textWriter{a: a}
	w.field("board", s.Board)
	up := "down: stigmergy up"
	if s.Up {
		up = "up, " + s.Holder
	}
	w.field("daemon", up)
	w.field("paused", s.Paused)
	w.field("journal", strings.TrimSuffix(fmt.Sprintf("%d entries, the newest %s", s.Seq, s.Last), ", the newest "))
	w.field("not taken in", humanSize(s.Pending))
	w.field("archives", fmt.Sprintf("%d, %s of %s", s.Archives.Count, humanSize(s.Archives.Bytes), humanSize(s.Archives.RawBytes)))
	for _, stage := range []string{"draining", "sealed", "rotated"} {
		if n := s.Segments[stage]; n > 0 {
			w.field(stage, fmt.Sprintf("%d segments", n))
		}
	}
	for i, q := range s.Waiting {
		if i == laneRows {
			break
		}
		what := fmt.Sprintf("%d events of plan %s", q.Events, q.PlanID)
		if q.StageID != "" {
			what = fmt.Sprintf("shards %d to %d of stage %s to be created, of plan %s", q.From, q.To, q.StageID, q.PlanID)
		}
		w.field("waiting", what)
	}
	w.field("disk", humanSize(s.Disk.Free)+" free of "+humanSize(s.Disk.All))
	for _, name := range s.names {
		if v := s.Settings[name]; v.Origin != "default" {
			w.field("setting", name+" = "+v.Value+" ("+v.Origin+")")
		}
	}
	if w.err != nil {
		return w.err
	}
	return s.laneTable(a)
}

// state says in words what is odd about a lane.
func (l *laneLook) state() string {
	switch {
	case l.Problem != "":
		return "no lane: " + l.Problem
	case l.Unreadable:
		return "unreadable"
	case l.UnfinishedBytes > 0:
		return fmt.Sprintf("unfinished last line, %d bytes, for %s", l.UnfinishedBytes, humanAge(l.age))
	case layout.LaneRel(l.Lane) != l.Path:
		return "renamed: stands in " + l.Path + " until its next rotation"
	}
	return ""
}

// laneRows is how many lanes people are shown.
const laneRows = 30

// laneTable shows the lanes, those that changed last first.
func (s *boardStatus) laneTable(a *app) error {
	lanes := append([]laneLook(nil), s.Lanes...)
	sort.SliceStable(lanes, func(i, j int) bool { return lanes[i].age < lanes[j].age })
	p := a.printer()
	p.format = "table"
	if _, err := a.out.Write([]byte("\n")); err != nil || len(lanes) == 0 {
		return err
	}
	for i, l := range lanes {
		if i == laneRows {
			break
		}
		pos := contracts.Position{Lane: l.Lane, Segment: l.Segment, Offset: l.Offset}
		if err := p.add(record{text("lane", l.Lane), text("taken in to", pos.String()), number("size", l.Size), number("pending", l.Pending),
			text("changed", humanAge(l.age)), text("state", l.state())}); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	if n := len(lanes) - laneRows; n > 0 {
		a.note("… and %d more lanes (stigmergy status -o json)", n)
	}
	return nil
}
