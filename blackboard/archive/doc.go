// Package archive keeps a sealed segment as one zstd file that every zstd tool
// reads, and finds the few frames of it that may hold what somebody looks for.
//
//	zstd frame × n   about archive.frame_bytes of whole lines each, content size and checksum
//	skippable frame  the index, private and rebuildable (reindex)
//	skippable frame  the seek table of the zstd seekable format
//
// The segment's bytes, as a shell gets them back:
//
//	zstd -dc BOARD/archive/agents/7/00000003.jsonl.zst
//
// Writing, with everything the index needs to know of a line asked from an
// Extractor; Store does it durably and reads the file back:
//
//	ex := archive.NewExtractor(archive.Contracts{Registry: reg, Checker: checker, Refused: recorded})
//	made, err := archive.Write(out, raw, archive.Source{Lane: "agents/7", Segment: 3, Runs: runs, Extract: ex}, archive.WriteOptions{})
//
// Reading the lines that may hold one plan's events, the newest frame first:
//
//	d := archive.NewDecoder()                   // one for the process, safe for parallel use
//	r, err := d.Open(f, size)                   // without or with a damaged index it still reads
//	set := r.Select(archive.Want{Topics: patterns, Fields: []archive.Field{{Name: "plan_id", Value: id}}})
//	for i := set.Prev(len(r.Frames()) - 1); i >= 0; i = set.Prev(i - 1) {
//		chunk, err = r.DecodeLines(i, chunk.Bytes) // checksum verified; the buffer is used again
//		runs, err = r.Runs(i, runs[:0])            // whose lines these are: seq and line within the entry
//		odd, err = r.Odd(i, odd[:0])               // which are no events
//		…
//	}
//
// What Select leaves out cannot match; what it keeps may. Counts by topic are
// exact (Frame.Topics, Summary.Topics) and need no decompression.
//
// A Catalog sums up all archives of a board in one file, so that a selective
// query opens only those that can match. Check finds any bit that changed;
// Rebuild makes index and seek table anew and copies the frames as they stand.
//
// Nothing read from an archive is believed: every part of the index has a
// checksum, every number is held against the file, and where one is wrong the
// frames are found by walking them and Select keeps everything. Files that other
// tools compressed are read too, as streams.
package archive
