package blackboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// A snapshot is the fold's state behind one journal entry, so that a restart
// refolds only what came after. It is a cache in plain JSONL,
//
//	.stigmergy/state/0000000000000042-full.jsonl
//	.stigmergy/state/0000000000000099-delta.jsonl
//
// a header, one line a tail, one line a key, and a last line with the number
// of lines before it and their SHA-256 (`head -n -1 FILE | sha256sum`). A
// delta holds what changed since the file before it. One that is damaged, from
// another board or of another history is passed over.
type snapHeader struct {
	V          int            `json:"v"`
	BoardID    string         `json:"board_id"`
	BootID     string         `json:"boot_id"`
	Fold       int            `json:"fold"`
	Version    string         `json:"version"`
	Config     string         `json:"config"`
	Seq        uint64         `json:"seq"` // entries below it are in the state
	ElapsedMS  int64          `json:"elapsed_ms"`
	PowerEpoch uint64         `json:"power_epoch"`
	Cursor     journal.Cursor `json:"cursor"`
	Last       string         `json:"last"` // SHA-256 of the journal's line before the cursor
	Since      uint64         `json:"since,omitempty"`

	Lanes map[string]uint64 `json:"lanes,omitempty"` // highest segment given
	Owned map[string]head   `json:"owned,omitempty"` // where owned lanes end
	UIDs  map[string]uint32 `json:"uids,omitempty"`
	Told  []string          `json:"told,omitempty"` // facts not to be told again
	Left  map[string]*left  `json:"left,omitempty"` // lanes whose file was deleted
}

// head is where the next byte of an owned lane goes.
type head struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

type snapLine struct {
	Tail   *tailRecord `json:"tail,omitempty"`
	Key    string      `json:"k,omitempty"`
	Text   *string     `json:"v,omitempty"`
	Bytes  string      `json:"b,omitempty"` // base64, where the value is no UTF-8
	Delete bool        `json:"d,omitempty"`
	End    bool        `json:"end,omitempty"`
	Lines  int         `json:"lines,omitempty"`
	SHA256 string      `json:"sha256,omitempty"`
}

// snapshots are the files of one board.
type snapshots struct {
	layout layout.Layout
	disk   *durable.Disk
}

type snapFile struct {
	seq  uint64
	full bool
	path string
	size int64
}

func (s snapshots) list() []snapFile {
	des, _ := os.ReadDir(s.layout.State()) // absent or unreadable: no snapshot
	var out []snapFile
	for _, d := range des {
		base, ok := strings.CutSuffix(d.Name(), layout.LaneExt)
		if !ok {
			continue
		}
		num, kind, _ := strings.Cut(base, "-")
		seq, err := strconv.ParseUint(num, 10, 64)
		fi, ferr := d.Info()
		if err != nil || ferr != nil || kind != "full" && kind != "delta" {
			continue
		}
		out = append(out, snapFile{seq, kind == "full", filepath.Join(s.layout.State(), d.Name()), fi.Size()})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].seq < out[j].seq })
	return out
}

// encode writes a snapshot's bytes. It is the only part that the kernel's
// goroutine waits for.
func encodeSnapshot(h snapHeader, tails []tailRecord, all bool, dump func(bool, func(string, []byte, bool) error) error) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h); err != nil {
		return nil, err
	}
	for i := range tails {
		if err := enc.Encode(snapLine{Tail: &tails[i]}); err != nil {
			return nil, err
		}
	}
	err := dump(all, func(key string, value []byte, deleted bool) error {
		l := snapLine{Key: key, Delete: deleted}
		if utf8.Valid(value) {
			text := string(value)
			l.Text = &text
		} else {
			l.Bytes = base64.StdEncoding.EncodeToString(value)
		}
		return enc.Encode(l)
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(out.Bytes())
	err = enc.Encode(snapLine{End: true, Lines: bytes.Count(out.Bytes(), []byte("\n")), SHA256: hex.EncodeToString(sum[:])})
	return out.Bytes(), err
}

// save writes a snapshot and removes what it replaces. It runs beside the
// kernel; a failure costs time at the next start, nothing else.
func (s snapshots) save(h snapHeader, full bool, text []byte) error {
	kind := "delta"
	if full {
		kind = "full"
	}
	path := filepath.Join(s.layout.State(), fmt.Sprintf("%016d-%s%s", h.Seq, kind, layout.LaneExt))
	if err := os.MkdirAll(s.layout.State(), 0o755); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if err := s.disk.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if !full {
		return nil
	}
	var errs []error
	for _, f := range s.list() {
		if f.seq < h.Seq {
			errs = append(errs, s.disk.Remove(f.path))
		}
	}
	return errors.Join(errs...)
}

// drop removes every snapshot that knows of entries from seq on.
func (s snapshots) drop(seq uint64) error {
	var errs []error
	for _, f := range s.list() {
		if f.seq > seq {
			errs = append(errs, os.Remove(f.path))
		}
	}
	return errors.Join(errs...)
}
