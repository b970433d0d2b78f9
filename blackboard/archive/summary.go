package archive

// Summary is what there is to know of one archive without opening a frame.
type Summary struct {
	Indexed   bool // the rest below RawBytes is known
	Size      int64
	DataBytes int64 // the zstd frames alone: index and seek table begin here
	RawBytes  int64
	Frames    int

	Lane      string
	Segment   uint64
	Lines     int64 // ended by LF
	Events    int64 // valid events, recovered ones too
	Blank     int64
	Refused   int64 // recovered ones too
	Recovered int64
	// Journaled counts the lines that journal entries took in, FirstSeq and
	// LastSeq are the first and last of those.
	Journaled         int64
	FirstSeq, LastSeq uint64
	// TimeMin and TimeMax bound the events' times (without one: the
	// journal's), unix nanoseconds, when Events is not 0.
	TimeMin, TimeMax int64
	// Topics counts the events by topic, in name order.
	Topics []TopicCount
}

// May tells whether the archive may hold what is wanted.
func (s *Summary) May(w Want) bool { return true }

// Count is how many events there are of the topics that match (nil: all);
// known is false without an index.
func (s *Summary) Count(topics interface{ Match(string) bool }) (n int64, known bool) {
	return 0, false
}
