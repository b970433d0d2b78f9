package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stigmergy/contracts"
)

// Select is the frames that may hold what is wanted. It never leaves out one
// that does.
func (r *Reader) Select(w Want) Set {
	set := fullSet(len(r.frames))
	if !r.sum.Indexed {
		return set
	}
	if w.Topics != nil {
		w.Topics = matching(w.Topics, r.sum.Topics)
	}
	for i := range r.frames {
		if !r.frames[i].may(w, r.sum.Examined, r.sum.Entries) {
			set.drop(i)
		}
	}
	if w.Lines {
		return set
	}
	for _, f := range w.Fields {
		if set.Empty() {
			break
		}
		if frames, indexed := r.MayMatch(f.Name, f.Value); indexed {
			set.and(frames)
		}
	}
	return set
}

// nameSet is topics in order, so that patterns are asked once an archive.
type nameSet []string

// Match implements the interface of Want.
func (s nameSet) Match(topic string) bool {
	_, ok := slices.BinarySearch(s, topic)
	return ok
}

func matching(topics interface{ Match(string) bool }, all []TopicCount) (s nameSet) {
	for _, t := range all {
		if topics.Match(t.Topic) {
			s = append(s, t.Topic)
		}
	}
	return s
}

// may tells whether a frame may hold what is wanted; fields are not asked.
func (f *Frame) may(w Want, examined, entries bool) bool {
	if entries && f.Lines == f.Journaled && !w.Seq.any() && (f.Lines == 0 || !w.Seq.meets(int64(f.FirstSeq), int64(f.LastSeq))) {
		return false
	}
	switch {
	case !examined, w.Lines:
		return true
	case f.Events == 0 || !w.Time.meets(f.TimeMin, f.TimeMax):
		return false
	case w.Topics == nil:
		return true
	}
	for _, t := range f.Topics {
		if w.Topics.Match(t.Topic) {
			return true
		}
	}
	return false
}

// MayMatch is the frames that may hold an event whose field has that text;
// indexed is false, and every frame in the set, when the index cannot tell.
func (r *Reader) MayMatch(field, value string) (frames Set, indexed bool) {
	if field == "id" && r.sum.Examined {
		return r.mayID(value), true
	}
	if name := r.indexedName(field); name != "" && value != "" {
		return r.lookUp(name, value)
	}
	return fullSet(len(r.frames)), false
}

// indexedName is the field's name in the index: data.plan_id stands there as
// plan_id, which is found in data unless the envelope has it.
func (r *Reader) indexedName(field string) string {
	names := r.Fields()
	if slices.Contains(names, field) {
		return field
	}
	name, inData := strings.CutPrefix(field, "data.")
	if _, attribute := new(contracts.Envelope).Attr(name); inData && !attribute && slices.Contains(names, name) {
		return name
	}
	return ""
}

// lookUp asks the postings; what is damaged there excludes nothing.
func (r *Reader) lookUp(field, value string) (Set, bool) {
	set := newSet(len(r.frames))
	p := &r.x.post
	if p.buckets == 0 {
		return set, true
	}
	key, _ := fieldKey(field, []byte(value), make([]byte, 0, 128))
	n, low := p.place(key)
	b, err := r.bucket(n)
	if err == nil {
		err = p.find(n, low, b, set)
	}
	if err != nil {
		r.damaged(fmt.Errorf("index: postings: %w", err))
		return fullSet(len(r.frames)), false
	}
	return set, true
}

// bucket reads one bucket, with one pread.
func (r *Reader) bucket(n int64) ([]byte, error) {
	start, end := uint32(0), binary.LittleEndian.Uint32(r.dir[4*n:])
	if n > 0 {
		start = binary.LittleEndian.Uint32(r.dir[4*n-4:])
	}
	if start > end || end > r.t.postings || end-start > maxBucket {
		return nil, errors.New("a directory that contradicts itself")
	}
	b := make([]byte, end-start, end-start+bitPad)
	return b, readAt(r.f, b, r.t.postingsAt+int64(start))
}

// mayID finds an id: by the postings if ids are in them, by the time that it
// holds otherwise. An event without an id has its position for one.
func (r *Reader) mayID(id string) Set {
	set := newSet(len(r.frames))
	b := []byte(id)
	for i := range r.frames {
		if r.frames[i].ids.may(b) {
			set.add(i)
		}
	}
	if r.x.flags&flagIDs != 0 && r.x.flags&flagPosted != 0 {
		if frames, ok := r.lookUp("id", id); ok {
			set.and(frames)
		}
	}
	if pos, err := contracts.ParsePosition(id); err == nil && pos.Lane == r.sum.Lane && pos.Segment == r.sum.Segment {
		if i := r.FrameAt(pos.Offset); i >= 0 {
			set.add(i)
		}
	}
	return set
}
