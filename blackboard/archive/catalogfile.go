package archive

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"

	"stigmergy/blackboard/layout"
)

// The catalog's file:
//
//	"stgycat1" · lanes · topics · entries, all in varints and texts · CRC-32C
//
// An archive with very many topics is listed without them: it is opened when
// its topics matter.
const (
	catalogMagic  = "stgycat1"
	maxCatalog    = 256 << 20
	catalogTopics = 1024
)

// What an entry's flags say.
const (
	entryIndexed = 1 << iota
	entryExamined
	entryEntries
	entryFlags = 1<<iota - 1
)

// dictionary numbers texts in the order in which they come.
type dictionary struct {
	number map[string]int
	texts  []string
}

func (d *dictionary) of(s string) uint64 {
	n, ok := d.number[s]
	if !ok {
		n = len(d.texts)
		d.number[s] = n
		d.texts = append(d.texts, s)
	}
	return uint64(n)
}

// appendCatalog writes the catalog's file. Archives that could not be opened
// are left out, so that they are tried again.
func appendCatalog(b []byte, entries []Entry) []byte {
	lanes, topics := dictionary{number: map[string]int{}}, dictionary{number: map[string]int{}}
	var rows []byte
	n := 0
	for i := range entries {
		if entries[i].Err == nil {
			rows = entries[i].append(rows, &lanes, &topics)
			n++
		}
	}
	start := len(b)
	b = append(b, catalogMagic...)
	b = appendTexts(b, lanes.texts)
	b = appendTexts(b, topics.texts)
	b = binary.AppendUvarint(b, uint64(n))
	b = append(b, rows...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func (e *Entry) append(b []byte, lanes, topics *dictionary) []byte {
	s := &e.Summary
	b = binary.AppendUvarint(b, lanes.of(e.Lane))
	b = binary.AppendUvarint(b, e.Segment)
	b = binary.AppendUvarint(b, zigzag(e.MTime))
	few := len(s.Topics) <= catalogTopics
	flags := byte(0)
	for i, on := range []bool{s.Indexed, s.Examined && few, s.Entries} {
		if on {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	for _, v := range []int64{s.Size, s.DataBytes, s.RawBytes, int64(s.Frames)} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	if s.Indexed {
		for _, v := range []int64{s.Lines, s.Journaled} {
			b = binary.AppendUvarint(b, uint64(v))
		}
		b = binary.AppendUvarint(b, s.FirstSeq)
		b = binary.AppendUvarint(b, s.LastSeq-s.FirstSeq)
	}
	if flags&entryExamined == 0 {
		return b
	}
	for _, v := range []int64{s.Blank, s.Refused, s.Recovered} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendUvarint(b, zigzag(s.TimeMin))
	b = binary.AppendUvarint(b, uint64(s.TimeMax)-uint64(s.TimeMin))
	b = binary.AppendUvarint(b, uint64(len(s.Topics)))
	for _, t := range s.Topics {
		b = binary.AppendUvarint(b, topics.of(t.Topic))
		b = binary.AppendUvarint(b, uint64(t.Count))
	}
	return b
}

var errCatalog = errors.New("no catalog that can be used")

// readCatalog reads the catalog's file.
func readCatalog(l layout.Layout) ([]Entry, error) {
	f, err := os.Open(l.Catalog())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCatalog))
	if err != nil {
		return nil, err
	}
	return parseCatalog(b, l)
}

func parseCatalog(b []byte, l layout.Layout) ([]Entry, error) {
	n := len(b) - 4
	if n < len(catalogMagic) || string(b[:len(catalogMagic)]) != catalogMagic ||
		crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, errCatalog
	}
	p := &parser{b: b[len(catalogMagic):n]}
	lanes, topics := p.texts(), p.texts()
	rows := p.count(int64(len(p.b)) / 8)
	entries := make([]Entry, 0, rows)
	for range rows {
		e, ok := parseEntry(p, lanes, topics)
		if !ok {
			return nil, errCatalog
		}
		e.Path = l.Archive(e.Lane, e.Segment)
		entries = append(entries, e)
	}
	if !p.done() {
		return nil, errCatalog
	}
	return entries, nil
}

func parseEntry(p *parser, lanes, topics []string) (e Entry, ok bool) {
	lane := p.count(int64(len(lanes)) - 1)
	e.Segment, e.MTime = p.uint(), p.int()
	flags := p.bytes(1)
	if p.bad || flags[0]&^entryFlags != 0 {
		return e, false
	}
	s := &e.Summary
	e.Lane = lanes[lane]
	s.Indexed, s.Examined, s.Entries = flags[0]&entryIndexed != 0, flags[0]&entryExamined != 0, flags[0]&entryEntries != 0
	s.Size, s.DataBytes, s.RawBytes, s.Frames = p.count(math.MaxInt64), p.count(math.MaxInt64), p.count(math.MaxInt64), int(p.count(math.MaxInt32))
	e.Size = s.Size
	if !s.Indexed {
		return e, !p.bad && flags[0] == 0
	}
	s.Lane, s.Segment = e.Lane, e.Segment
	s.Lines = p.count(s.RawBytes)
	s.Journaled = p.count(s.Lines)
	s.FirstSeq = p.uint()
	s.LastSeq = s.FirstSeq + p.uint()
	if s.LastSeq < s.FirstSeq {
		return e, false
	}
	if s.Examined {
		return e, s.parseEvents(p, topics)
	}
	return e, !p.bad
}

func (s *Summary) parseEvents(p *parser, topics []string) bool {
	s.Blank, s.Refused = p.count(s.Lines), p.count(s.Lines)
	s.Recovered = p.count(s.Refused)
	s.TimeMin = p.int()
	s.TimeMax = int64(uint64(s.TimeMin) + p.uint())
	s.Topics = make([]TopicCount, 0, p.count(catalogTopics))
	for range cap(s.Topics) {
		n := p.count(int64(len(topics)) - 1)
		t := TopicCount{Count: p.count(s.Lines)}
		if p.bad || t.Count == 0 {
			return false
		}
		t.Topic = topics[n]
		if k := len(s.Topics); k > 0 && s.Topics[k-1].Topic >= t.Topic {
			return false
		}
		s.Topics = append(s.Topics, t)
		s.Events += t.Count
	}
	return !p.bad && s.TimeMin <= s.TimeMax && s.Events == s.Lines-s.Blank-s.Refused+s.Recovered
}
