package archive

import "encoding/binary"

// appendRuns codes a frame's runs: for each the difference of its seq to the
// run before (the first one's is the frame's FirstSeq and not written), its
// lines, and, in a timed frame, the difference of its time. What was not
// journaled stands behind the last run only.
func appendRuns(b []byte, runs []FrameRun, timed bool) []byte {
	prev := FrameRun{}
	for i, r := range runs {
		if i > 0 {
			b = binary.AppendUvarint(b, r.Seq-prev.Seq)
		}
		b = binary.AppendUvarint(b, uint64(r.Lines))
		if timed {
			b = binary.AppendUvarint(b, zigzag(r.Time-prev.Time))
		}
		prev = r
	}
	return b
}

// parseRuns reads what appendRuns wrote for frame f. Runs must cover exactly
// its journaled lines and end with its last entry.
func parseRuns(b []byte, f *Frame, dst []FrameRun) ([]FrameRun, bool) {
	p := parser{b: b}
	run := FrameRun{Seq: f.FirstSeq, LineNo: f.seq0, Timed: f.timed}
	for line := int64(0); line < f.Journaled; line += run.Lines {
		if line > 0 {
			step := p.uint()
			if run.LineNo += run.Lines; step != 0 {
				run.LineNo = 0
			}
			run.Seq += step
		}
		run.Line = line
		run.Lines = p.count(f.Journaled - line)
		if f.timed {
			run.Time += p.int()
		}
		if p.bad || run.Lines == 0 || run.Seq > f.LastSeq {
			return dst, false
		}
		dst = append(dst, run)
	}
	return dst, p.done() && (f.Journaled == 0 || run.Seq == f.LastSeq)
}

// appendOdd codes the lines that are no plain events: how many lines are
// skipped, how many there are, their kind.
func appendOdd(b []byte, runs []OddRun) []byte {
	end := int64(0)
	for _, r := range runs {
		b = binary.AppendUvarint(b, uint64(r.Line-end))
		b = binary.AppendUvarint(b, uint64(r.Lines))
		b = append(b, byte(r.Kind))
		end = r.Line + r.Lines
	}
	return b
}

// parseOdd reads what appendOdd wrote for frame f; the lines of each kind must
// be as many as the frame says.
func parseOdd(b []byte, f *Frame, dst []OddRun) ([]OddRun, bool) {
	p := parser{b: b}
	var sums [Recovered + 1]int64
	for end := int64(0); len(p.b) > 0; {
		r := OddRun{Line: end + p.count(f.Lines-end)}
		r.Lines = p.count(f.Lines - r.Line)
		kind := p.bytes(1)
		if p.bad || r.Lines == 0 || kind[0] == byte(Event) || kind[0] > byte(Recovered) {
			return dst, false
		}
		r.Kind = LineKind(kind[0])
		sums[r.Kind] += r.Lines
		dst = append(dst, r)
		end = r.Line + r.Lines
	}
	return dst, sums[Blank] == f.Blank && sums[Recovered] == f.Recovered && sums[Refused]+sums[Recovered] == f.Refused
}
