// Package layout knows where everything on a board stands.
//
// A board is a directory; its lanes are the *.jsonl files in it, and what the
// daemon owns lies under .stigmergy/:
//
//	BOARD/ci.jsonl                         lane ci
//	BOARD/agents/7.jsonl                   lane agents/7
//	BOARD/archive/agents/7/00000003.jsonl.zst
//	BOARD/quarantine/agents/7.jsonl        owned lane quarantine/agents/7
//	BOARD/.stigmergy/journal/00000001.jsonl
//
// Lanes are named as positions write them: bytes outside [A-Za-z0-9._/-] of
// the file's name stand as %XX (see contracts.EscapeLane).
package layout

import (
	"fmt"
	"path/filepath"
	"strings"

	"stigmergy/contracts"
)

// Layout is a board's directory and the paths in it.
type Layout struct {
	// Dir is the board's directory, absolute.
	Dir string
}

// LaneExt ends the name of every lane file.
const LaneExt = ".jsonl"

// ArchiveExt ends the name of every archived segment.
const ArchiveExt = ".jsonl.zst"

// Private returns a path below the daemon's own folder.
func (l Layout) Private(elem ...string) string {
	return filepath.Join(append([]string{l.Dir, ".stigmergy"}, elem...)...)
}

// Lane returns the path of a lane's active file; the name is the escaped one.
func (l Layout) Lane(name string) string { return filepath.Join(l.Dir, LaneRel(name)) }

// LaneRel is Lane below the board, with the file name's own bytes.
func LaneRel(name string) string {
	raw, err := contracts.UnescapeLane(name)
	if err != nil {
		raw = name
	}
	return raw + LaneExt
}

// LaneName is the lane that a board-relative path holds, if it is one's path.
func LaneName(rel string) (string, bool) {
	if !strings.HasSuffix(rel, LaneExt) || len(rel) == len(LaneExt) {
		return "", false
	}
	raw := strings.TrimSuffix(rel, LaneExt)
	if strings.HasSuffix(raw, "/") {
		return "", false
	}
	for i, part := range strings.Split(raw, "/") {
		if part == "" || part[0] == '.' {
			return "", false
		}
		if i == 0 && part != raw && (part == "archive" || part == "contracts") {
			return "", false
		}
	}
	return contracts.EscapeLane(raw), true
}

// Segments is the folder of a lane's rotated, not yet archived segments.
func (l Layout) Segments(lane string) string { return l.Private("segments", lane) }

// Segment is the file of one rotated segment.
func (l Layout) Segment(lane string, n uint64) string {
	return filepath.Join(l.Dir, SegmentRel(lane, n))
}

// SegmentRel is Segment below the board.
func SegmentRel(lane string, n uint64) string {
	return filepath.Join(".stigmergy", "segments", lane, fmt.Sprintf("%08d%s", n, LaneExt))
}

// Archive is the file of one archived segment.
func (l Layout) Archive(lane string, n uint64) string {
	return filepath.Join(l.Dir, ArchiveRel(lane, n))
}

// ArchiveRel is Archive below the board.
func ArchiveRel(lane string, n uint64) string {
	return filepath.Join("archive", lane, fmt.Sprintf("%08d%s", n, ArchiveExt))
}

// Journal is the folder of the journal's segments.
func (l Layout) Journal() string { return l.Private("journal") }

// JournalSegment is one segment of the journal, not compressed.
func (l Layout) JournalSegment(n uint64) string {
	return filepath.Join(l.Journal(), fmt.Sprintf("%08d%s", n, LaneExt))
}

// JournalPacked is one segment of the journal, compressed.
func (l Layout) JournalPacked(n uint64) string {
	return filepath.Join(l.Journal(), fmt.Sprintf("%08d%s", n, ArchiveExt))
}

// State is the folder of the snapshots (a cache).
func (l Layout) State() string { return l.Private("state") }

// CAS is the folder of the content-addressed store.
func (l Layout) CAS() string { return l.Private("cas") }

// Blob is the file of a CAS object, by its SHA-256 in hex.
func (l Layout) Blob(sum string) string { return filepath.Join(l.CAS(), sum[:2], sum[2:]) }

// Lock is the file whose kernel-owned lock says that a daemon holds the board.
func (l Layout) Lock() string { return l.Private("lock") }

// Socket is where a running daemon answers the command line.
func (l Layout) Socket() string { return l.Private("sock") }

// Durable is the file that names the last journal entry known to be on disk.
func (l Layout) Durable() string { return l.Private("durable") }

// BoardID is the file that holds the board's identity, written once.
func (l Layout) BoardID() string { return l.Private("board_id") }

// Catalog is the summary of all archives (a cache).
func (l Layout) Catalog() string { return l.Private("archives.idx") }

// Keys is the folder of the board's private keys.
func (l Layout) Keys() string { return l.Private("keys") }

// Tiles is the folder of the hashes over the journal.
func (l Layout) Tiles() string { return l.Private("tiles") }

// Checkpoint is the file of the newest signed checkpoint.
func (l Layout) Checkpoint() string { return l.Private("checkpoint") }

// Contracts is the folder of the board's own contracts.
func (l Layout) Contracts() string { return filepath.Join(l.Dir, "contracts") }

// Settings is the board's settings file.
func (l Layout) Settings() string { return filepath.Join(l.Dir, "stigmergy.yaml") }

// Owned says whether the daemon derives everything in this lane.
func Owned(lane string) bool {
	switch lane {
	case "hxo", "genesis", "swarm", "board":
		return true
	}
	return strings.HasPrefix(lane, "quarantine/")
}

// Worker says whether only the daemon's workers write this lane.
func Worker(lane string) bool {
	switch lane {
	case "workers/plan", "workers/exec", "workers/archive", "workers/truth", "workers/signer", "workers/exemplars":
		return true
	}
	return false
}
