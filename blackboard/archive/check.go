package archive

import "errors"

// Seal is what a segment was found to be before it was archived
// (board.segment.sealed).
type Seal struct {
	Lines  int64
	Bytes  int64
	SHA256 [32]byte
	Root   [32]byte // RFC 6962 over its LF-ended lines
}

// CheckOptions say what else to hold an archive against; each may be nil.
type CheckOptions struct {
	Seal *Seal
	// Extract makes the index anew and compares it.
	Extract Extractor
	// DataSHA256 is what Written.DataSHA256 was.
	DataSHA256 *[32]byte
}

// Problem is one thing wrong with an archive.
type Problem struct {
	Offset int64  // where in the file, or where what holds it begins
	What   string // "frame 12: …", "index: …", "seek table: …", "seal: …"
}

// Report is what a check found.
type Report struct {
	Seal       Seal // of the bytes as they are
	DataSHA256 [32]byte
	Summary    Summary
	Problems   []Problem
}

// Check reads every byte of an archive and tells everything that is wrong.
// The error is nil when the file could be read, damaged or not.
func Check(path string, opt CheckOptions) (Report, error) { return Report{}, errors.ErrUnsupported }
