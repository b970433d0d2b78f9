package archive

// Part says whether a frame holds whole lines or a piece of one.
type Part uint8

// The parts.
const (
	// Whole frames hold whole lines (the last one may end in bytes without LF).
	Whole Part = iota
	// First is the beginning of a line longer than MaxFrame.
	First
	// Middle goes on with it.
	Middle
	// Last ends it.
	Last
)

// Frame is one zstd frame of an archive. Without an index only the first four
// fields are known and Lines is -1.
type Frame struct {
	Offset    int64 // in the file
	Size      int64 // compressed
	RawOffset int64 // in the segment
	RawSize   int64

	Part      Part
	Lines     int64 // that begin in it and end with LF
	FirstLine int64 // number of its first line in the segment, from 0

	// Events counts valid events, recovered ones too; a recovered line is
	// counted in Refused as well. Lines = Events - Recovered + Blank + Refused.
	Events    int64
	Blank     int64
	Refused   int64
	Recovered int64

	// TimeMin and TimeMax bound the events' times (without one: the
	// journal's), unix nanoseconds; they mean nothing when Events is 0.
	TimeMin, TimeMax int64
	// Journaled counts the lines that journal entries took in; FirstSeq and
	// LastSeq are the first and last of those, when Journaled is not 0.
	Journaled         int64
	FirstSeq, LastSeq uint64
	// Topics counts the events by topic, in name order.
	Topics []TopicCount

	ids      idRange
	checksum uint32 // XXH64 of the content, low half: the zstd content checksum
	crc      uint32 // CRC-32C of the compressed frame
	runs     span   // of the runs section
	odd      span   // of the odd section
	seq0     int64  // line within entry FirstSeq of the frame's first line
	timed    bool   // its runs carry the entries' times
}

// span is a stretch of a section.
type span struct{ off, end int }

// FrameRun is a run of lines in one frame that one journal entry took in.
type FrameRun struct {
	Line   int64  // of the frame, from 0
	Lines  int64  // how many
	Seq    uint64 // the entry
	LineNo int64  // of the run's first line within the entry, from 0
	// Time is the entry's, unix nanoseconds, known (Timed) only in frames
	// with an event that has no time of its own.
	Time  int64
	Timed bool
}

// OddRun is a run of lines in one frame that are not simply events.
type OddRun struct {
	Line  int64
	Lines int64
	Kind  LineKind
}
