package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type archiveCmd struct {
	Ls    archiveLs    `cmd:"" help:"List the archives."`
	Check archiveCheck `cmd:"" help:"Read every byte of archives and tell everything that is wrong."`
	Cat   archiveCat   `cmd:"" help:"Print the exact bytes of a segment."`
}

// archiveArg chooses archives: a lane, a segment of one, or a file.
func archiveArg(e *archive.Entry, args []string) bool {
	for _, arg := range args {
		lane, segment, ok := segmentArg(arg)
		switch {
		case ok && e.Lane == lane && e.Segment == segment, e.Lane == laneArg(arg), samePath(e.Path, arg):
			return true
		}
	}
	return len(args) == 0
}

// samePath tells whether both name one file, however they are written.
func samePath(a, b string) bool {
	x, err1 := filepath.Abs(a)
	y, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && x == y
}

// segmentArg reads LANE@SEGMENT.
func segmentArg(s string) (lane string, segment uint64, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(s[at+1:], 10, 64)
	return laneArg(s[:at]), n, err == nil && n > 0
}

// archives are the catalog's entries that the arguments choose; none: exit 1.
func (a *app) archives(args []string) (layout.Layout, []archive.Entry, error) {
	l, err := a.board()
	if err != nil {
		return l, nil, err
	}
	c, err := archive.OpenCatalog(l, archive.NewDecoder())
	if err != nil {
		return l, nil, fmt.Errorf("listing the archives: %w", err)
	}
	var out []archive.Entry
	for _, e := range c.Entries() {
		if archiveArg(&e, args) {
			out = append(out, e)
		}
	}
	if len(out) == 0 && len(args) > 0 {
		return l, nil, &Fault{Doing: "looking for an archive", Expected: "a lane, LANE@SEGMENT or a file that is archived", Found: quote(strings.Join(args, " ")),
			Try: "stigmergy archive ls", Code: codeNone}
	}
	return l, out, nil
}

type archiveLs struct {
	Lane []string `arg:"" optional:"" help:"Lanes, LANE@SEGMENT or files (default: all)."`
}

// Run lists the archives.
func (c *archiveLs) Run(a *app) error {
	_, entries, err := a.archives(c.Lane)
	if err != nil {
		return err
	}
	p := a.printer()
	bad := false
	for _, e := range entries {
		r := record{text("lane", e.Lane), number("segment", e.Segment), number("lines", e.Summary.Lines), number("raw_bytes", e.Summary.RawBytes),
			number("archive_bytes", e.Size), number("index_bytes", e.Size-e.Summary.DataBytes), number("frames", e.Summary.Frames), flag("indexed", e.Summary.Indexed),
			timeCell("time_first", e.Summary.TimeMin), timeCell("time_last", e.Summary.TimeMax), text("path", e.Path)}
		if e.Err != nil {
			bad = true
			a.note("stigmergy: %s: %v", e.Path, e.Err)
		}
		if err := p.add(r); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil || !bad {
		return err
	}
	return exitWith(codeUsage)
}

// timeCell is a time in nanoseconds, null for none.
func timeCell(name string, ns int64) cell {
	if ns == 0 {
		return cell{name, nil}
	}
	return text(name, showTime(ns))
}

type archiveCheck struct {
	Lane []string `arg:"" optional:"" help:"Lanes, LANE@SEGMENT or files (default: all)."`
}

// Help says the rest.
func (archiveCheck) Help() string {
	return "Every frame is decoded, its checksum verified, and lines, bytes, SHA-256 and Merkle root are held against the segment's seal (board.segment.sealed). Index and seek table are checked too. Exit 1 if anything is wrong."
}

// Run checks the archives.
func (c *archiveCheck) Run(a *app) error {
	l, entries, err := a.archives(c.Lane)
	if err != nil {
		return err
	}
	seals, err := a.seals(l)
	if err != nil {
		return err
	}
	p := a.printer()
	bad := 0
	progress := a.progress("archives checked")
	for i, e := range entries {
		if a.ctx.Err() != nil {
			return a.stopped(a.ctx.Err())
		}
		progress(uint64(i))
		report, err := archive.Check(e.Path, archive.CheckOptions{Seal: seals[segmentName(e.Lane, e.Segment)]})
		if err != nil {
			report.Problems = append(report.Problems, archive.Problem{What: err.Error()})
		}
		if len(report.Problems) > 0 {
			bad++
		}
		if err := printCheck(p, e, report, seals[segmentName(e.Lane, e.Segment)] != nil); err != nil {
			return err
		}
	}
	missing, err := missingArchives(l, c.Lane, entries, seals)
	if err != nil {
		return err
	}
	for _, e := range missing {
		bad++
		report := archive.Report{Problems: []archive.Problem{{What: "missing: the segment was sealed and archived, its archive is not there"}}}
		if err := printCheck(p, e, report, true); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	a.note("%d archives checked, %d of them damaged", len(entries), bad)
	if bad > 0 {
		a.note("  try: what the frames hold is still read; a damaged index is mended by: stigmergy reindex")
		return exitWith(codeNone)
	}
	return nil
}

// printCheck is one record a problem, or one that says ok.
func printCheck(p *printer, e archive.Entry, r archive.Report, sealed bool) error {
	row := func(verdict, what string, offset int64) record {
		return record{text("path", e.Path), text("verdict", verdict), number("offset", offset), text("problem", what),
			number("lines", r.Seal.Lines), number("bytes", r.Seal.Bytes), text("sha256", hex.EncodeToString(r.Seal.SHA256[:])), flag("sealed", sealed)}
	}
	if len(r.Problems) == 0 {
		return p.add(row("ok", "", 0))
	}
	for _, pr := range r.Problems {
		if err := p.add(row("damaged", pr.What, pr.Offset)); err != nil {
			return err
		}
	}
	return nil
}

func segmentName(lane string, segment uint64) string {
	return lane + "@" + strconv.FormatUint(segment, 10)
}

// seals are what the board's segments were sealed as.
func (a *app) seals(l layout.Layout) (map[string]*archive.Seal, error) {
	out := map[string]*archive.Seal{}
	topics, err := contracts.ParsePatterns([]string{"board.segment.sealed"})
	if err != nil {
		return nil, err
	}
	e, err := a.engine(l)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	_, err = e.Run(a.ctx, query.Request{Topics: topics, Lane: "workers/archive"}, func(h *query.Hit) error {
		ev := h.Event()
		lines, _ := ev.Get("data.lines").Int()
		bytes, _ := ev.Get("data.bytes").Int()
		seg, _ := ev.Get("data.segment").Int()
		s := &archive.Seal{Lines: lines, Bytes: bytes}
		_, err1 := hex.Decode(s.SHA256[:], ev.Get("data.sha256").TextBytes())
		_, err2 := hex.Decode(s.Root[:], ev.Get("data.merkle_root").TextBytes())
		if err1 == nil && err2 == nil {
			out[segmentName(ev.Get("data.lane").Text(), uint64(seg))] = s
		}
		return nil
	})
	return out, queryFault(err)
}

type archiveCat struct {
	Segment []string `arg:"" help:"LANE@SEGMENT, a lane (all its archives), or a file."`
}

// Help says the rest.
func (archiveCat) Help() string {
	return "The same bytes as: zstd -dc BOARD/archive/LANE/SEGMENT.jsonl.zst. What is damaged is told and left out: exit 2."
}

// Run prints the bytes.
func (c *archiveCat) Run(a *app) error {
	_, entries, err := a.archives(c.Segment)
	if err != nil {
		return err
	}
	bad := false
	for _, e := range entries {
		ok, err := a.catArchive(e.Path)
		if err != nil {
			return a.stopped(err)
		}
		bad = bad || !ok
	}
	if bad {
		return exitWith(codeUsage)
	}
	return nil
}

// catArchive prints every frame that can be decoded.
func (a *app) catArchive(path string) (whole bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openGuards, 0)
	if err != nil {
		return false, fmt.Errorf("reading an archive: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("reading an archive: %w", err)
	}
	r, err := archive.Open(f, fi.Size())
	if err != nil {
		return false, &Fault{Doing: "reading an archive", Path: path, Err: err, Code: codeUsage, Try: "stigmergy archive check"}
	}
	whole = true
	var buf []byte
	for i := range r.Frames() {
		if a.ctx.Err() != nil {
			return false, a.ctx.Err()
		}
		buf, err = r.DecodeFrame(i, buf)
		if err != nil {
			whole = false
			a.note("stigmergy: %s: %v; left out", path, err)
			continue
		}
		if _, err := a.out.Write(buf); err != nil {
			return false, err
		}
	}
	if d := r.Damage(); d != nil && !errors.Is(d, fs.ErrClosed) {
		a.note("stigmergy: %s: %v (stigmergy reindex)", path, d)
	}
	return whole, nil
}
