package archive

import (
	"errors"
	"io"
)

// Source says whose bytes are archived and what its lines are.
type Source struct {
	Lane    string // escaped name
	Segment uint64
	// Runs are the journal entries that took in the segment's lines, in
	// order; fewer lines than the segment holds, or nil, when not all (or
	// none) are known.
	Runs []Run
	// Extract tells what each line is; nil: lines are counted, nothing more.
	Extract Extractor
}

// WriteOptions are settings; zero values mean the defaults.
type WriteOptions struct {
	FrameBytes int64  // archive.frame_bytes, default 1 MiB
	Level      string // archive.level, default better
	IDs        bool   // index.ids
	Workers    int    // goroutines that compress, default 1
	Low        bool   // they run at the lowest priority
}

// Written is what Write made.
type Written struct {
	Summary
	IndexBytes int64    // of index and seek table
	RawSHA256  [32]byte // of the segment's bytes
	DataSHA256 [32]byte // of the zstd frames, without index and seek table
}

// Write archives a segment: it reads raw to its end and writes the whole file
// to w, in memory bounded by the frame size and the index.
func Write(w io.Writer, raw io.Reader, src Source, opt WriteOptions) (Written, error) {
	return Written{}, errors.ErrUnsupported
}
