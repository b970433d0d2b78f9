package archive

// Summary is what there is to know of one archive without opening a frame.
type Summary struct {
	Size      int64
	DataBytes int64 // the zstd frames alone: index and seek table begin here
	RawBytes  int64
	Frames    int

	// Indexed: lane, segment and lines are known. Examined: so is what the
	// lines are. Entries: so are the journal entries.
	Indexed, Examined, Entries bool

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

// summarize adds up what is known without an index.
func summarize(frames []Frame, size int64) Summary {
	s := Summary{Size: size, DataBytes: dataBytes(frames), Frames: len(frames)}
	for i := range frames {
		s.RawBytes += frames[i].RawSize
	}
	return s
}

// describe adds what the index says; counts are the events of each topic.
func (s *Summary) describe(lane string, segment uint64, frames []Frame, topics []string, counts []int64) {
	s.Indexed, s.Lane, s.Segment = true, lane, segment
	for i := range frames {
		s.add(&frames[i])
	}
	s.Topics = make([]TopicCount, 0, len(counts))
	for i, n := range counts {
		if n > 0 {
			s.Topics = append(s.Topics, TopicCount{topics[i], n})
		}
	}
}

func (s *Summary) add(f *Frame) {
	if f.Events > 0 {
		if s.Events == 0 {
			s.TimeMin, s.TimeMax = f.TimeMin, f.TimeMax
		}
		s.TimeMin, s.TimeMax = min(s.TimeMin, f.TimeMin), max(s.TimeMax, f.TimeMax)
	}
	if f.Journaled > 0 {
		if s.Journaled == 0 {
			s.FirstSeq = f.FirstSeq
		}
		s.LastSeq = f.LastSeq
	}
	s.Lines += f.Lines
	s.Events += f.Events
	s.Blank += f.Blank
	s.Refused += f.Refused
	s.Recovered += f.Recovered
	s.Journaled += f.Journaled
}

// May tells whether the archive may hold what is wanted; fields are not asked.
func (s *Summary) May(w Want) bool {
	if !s.Indexed {
		return true
	}
	f := Frame{Lines: s.Lines, Events: s.Events, Refused: s.Refused, Journaled: s.Journaled, TimeMin: s.TimeMin,
		TimeMax: s.TimeMax, FirstSeq: s.FirstSeq, LastSeq: s.LastSeq, Topics: s.Topics}
	return f.may(w, s.Examined, s.Entries)
}

// Count is how many events there are of the topics that match (nil: all);
// known is false when the index cannot tell.
func (s *Summary) Count(topics interface{ Match(string) bool }) (n int64, known bool) {
	for _, t := range s.Topics {
		if topics == nil || topics.Match(t.Topic) {
			n += t.Count
		}
	}
	return n, s.Examined
}
