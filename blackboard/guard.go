package blackboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// guard looks whether an owned lane is as we left it and puts it right if not.
// The notes are journaled when the step at hand is published.
func (k *Kernel) guard(ctx context.Context, lane string, o *owned) error {
	if same, err := o.quick(); err != nil || same {
		return err
	}
	return k.guardFully(ctx, lane, o)
}

// guardFully is guard without the shortcut: the name is looked at too.
func (k *Kernel) guardFully(ctx context.Context, lane string, o *owned) error {
	var found []surprise
	err := k.insist(ctx, func() (err error) {
		found, err = k.pub.inspect(lane, o)
		return err
	})
	if err != nil {
		return fmt.Errorf("looking at the owned lane %s: %w", lane, err)
	}
	for _, s := range found {
		if err := k.surprised(ctx, lane, o, s); err != nil {
			return err
		}
	}
	return nil
}

// surprised keeps what somebody else did to an owned lane, then undoes it:
// bytes go to the CAS and the news into a file of their own before they are
// taken away, so that a crash before the note loses neither.
func (k *Kernel) surprised(ctx context.Context, lane string, o *owned, s surprise) error {
	e := journal.Entry{Lane: lane, Segment: o.segment, From: s.from, To: s.to}
	switch s.kind {
	case "replaced":
		s.kind, e.Path, e.Detail = "foreign", layout.LaneRel(lane), "the file was deleted or replaced: it was put back as it was, and what stood there stands beside it"
	case "destroyed":
		if k.mendLater(lane, o) {
			s.kind, e.From, e.To, e.Path, e.Detail = "foreign", 0, 0, layout.LaneRel(lane), "the file was cut short: what is missing is derived again"
		}
	}
	if s.bytes != nil {
		err := k.insist(ctx, func() (err error) { e.SHA256, err = k.cas.Put(s.bytes); return err })
		if err != nil {
			return err
		}
	}
	if err := k.notice(ctx, s.kind, e); err != nil {
		return err
	}
	if s.kind != "foreign" || s.bytes == nil {
		return nil
	}
	return k.insist(ctx, func() error { return k.disk.Truncate(o.f, o.end) })
}

// pendingNote waits until the step that found it is published.
type pendingNote struct {
	kind string
	e    journal.Entry
	at   uint64 // seq of the next entry when it was found
}

// surprises journals what publishing found.
func (k *Kernel) surprises(ctx context.Context) (bool, error) {
	did := false
	for len(k.pub.notes) > 0 {
		n := k.pub.notes[0]
		if err := k.note(ctx, n.kind, n.e); err != nil {
			return did, err
		}
		k.pub.notes = k.pub.notes[1:]
		if err := k.insist(ctx, k.keepNotes); err != nil {
			return did, err
		}
		did = true
	}
	return did, nil
}

// notice keeps a note until it can be journaled, once.
func (k *Kernel) notice(ctx context.Context, kind string, e journal.Entry) error {
	for _, n := range k.pub.notes {
		if n.kind == kind && sameNote(&n.e, &e) {
			return nil
		}
	}
	k.pub.notes = append(k.pub.notes, pendingNote{kind, e, k.journal.Next()})
	return k.insist(ctx, k.keepNotes)
}

func sameNote(a, b *journal.Entry) bool {
	return a.Lane == b.Lane && a.Segment == b.Segment && a.From == b.From && a.To == b.To && a.SHA256 == b.SHA256 && a.Path == b.Path
}

// savedNote is a pending note in .stigmergy/notes.
type savedNote struct {
	At      uint64 `json:"at"`
	Kind    string `json:"kind"`
	Lane    string `json:"lane,omitempty"`
	Segment uint64 `json:"segment,omitempty"`
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	Path    string `json:"path,omitempty"`
	Detail  string `json:"detail,omitempty"`
	Errno   string `json:"errno,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
}

func (s *savedNote) pending() pendingNote {
	return pendingNote{s.Kind, journal.Entry{Lane: s.Lane, Segment: s.Segment, From: s.From, To: s.To,
		Path: s.Path, Detail: s.Detail, Errno: s.Errno, SHA256: s.SHA256}, s.At}
}

func (k *Kernel) notesPath() string { return k.layout.Private("notes") }

// keepNotes writes the pending notes aside; when there are none, there is no
// such file.
func (k *Kernel) keepNotes() error {
	if len(k.pub.notes) == 0 {
		return k.disk.Remove(k.notesPath())
	}
	list := make([]savedNote, len(k.pub.notes))
	for i, n := range k.pub.notes {
		list[i] = savedNote{n.at, n.kind, n.e.Lane, n.e.Segment, n.e.From, n.e.To, n.e.Path, n.e.Detail, n.e.Errno, n.e.SHA256}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("keeping what was found: %w", err)
	}
	return k.disk.WriteFile(k.notesPath(), text, 0o644)
}

// savedNotes are what a run found and may not have journaled any more. A file
// that is torn was never finished: nothing was taken away then.
func (k *Kernel) savedNotes() ([]savedNote, error) {
	text, err := os.ReadFile(k.notesPath())
	if missing(err) {
		return nil, nil
	}
	var list []savedNote
	if err == nil && json.Unmarshal(text, &list) != nil {
		list = nil
	}
	return list, err
}

// unnoted takes up the notes that a run did not journal any more.
func (k *Kernel) unnoted(journaled func(pendingNote) bool) error {
	list, err := k.savedNotes()
	if err != nil || list == nil {
		return err
	}
	for i := range list {
		if p := list[i].pending(); !journaled(p) {
			k.pub.notes = append(k.pub.notes, p)
		}
	}
	return k.keepNotes()
}

// saw says whether the journal holds a note already.
func (r *recovery) saw(n pendingNote) bool {
	for _, list := range [][]journal.Entry{r.told, r.known} {
		for i := range list {
			if list[i].Note == n.kind && list[i].Seq >= n.at && sameNote(&list[i], &n.e) {
				return true
			}
		}
	}
	return false
}

// undo takes foreign bytes away that are kept already: what was derived is to
// be written where they stand.
func (r *recovery) undo() error {
	k := r.k
	list, err := k.savedNotes()
	if err != nil {
		return err
	}
	for _, n := range list {
		if n.SHA256 == "" || !layout.Owned(n.Lane) {
			continue
		}
		kept, err := k.cas.Get(n.SHA256)
		if err != nil {
			return err
		}
		f, err := k.pub.root.OpenFile(layout.LaneRel(n.Lane), os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		got := make([]byte, len(kept))
		if m, _ := f.ReadAt(got, n.From); m == len(kept) && bytes.Equal(got, kept) {
			err = k.disk.Truncate(f, n.From)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("recovering lane %s: %w", n.Lane, err)
		}
	}
	return nil
}
