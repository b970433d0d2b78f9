package board

import (
	"fmt"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// fact is how a kind of note is told.
type fact struct {
	note     string
	alert    string // "" raises none
	severity string
	ends     bool // a segment ended with it
	say      func(e *journal.Entry) string
}

// facts are the kinds of notes that lead to anything.
func facts() []fact {
	return []fact{
		{note: "lost", alert: "lost", severity: "critical", say: sayLost},
		{note: "destroyed", alert: "destroyed", severity: "critical", say: sayDestroyed},
		{note: "foreign", alert: "foreign_bytes", severity: "critical", say: sayForeign},
		{note: "rewritten", alert: "rewritten", severity: "warning", say: sayRewritten},
		{note: "replaced", ends: true},
		{note: "renamed", ends: true},
		{note: "deleted", ends: true},
		{note: "truncated", ends: true},
		{note: "unfinished", alert: "unfinished", severity: "warning", say: sayUnfinished},
		{note: "not_a_lane", alert: "not_a_lane", severity: "warning", say: about("is not a regular file of one name: it is not taken in")},
		{note: "unreadable", alert: "unreadable", severity: "warning", say: about("cannot be read: taken in from its offset when it can")},
		{note: "overflow", alert: "overflow", severity: "warning", say: say("the system dropped file events: every lane was looked at again")},
		{note: "skip", alert: "skip", severity: "critical", say: saySkip},
		{note: "bad_contract", alert: "bad_contract", severity: "warning", say: about("is left out: the contract before it stays in force")},
		{note: "bad_setting", alert: "bad_setting", severity: "warning", say: about("is not taken up: the value before it stays in force")},
		{note: "pruned", alert: "pruned", severity: "info", say: about("was deleted, as retention says: still proved by root")},
		{note: "disk", alert: "disk", severity: "critical", say: say("the disk refused to be written: work paused until it took writes again")},
		{note: "mismatch", alert: "mismatch", severity: "critical", say: say("the journal is not what was signed: no checkpoint is signed any more until a person decides (stigmergy doctor)")},
		{note: "fork", alert: "fork", severity: "critical", say: say("two different checkpoints of one size are signed: both are kept as evidence")},
	}
}

// noted answers one note.
func noted(tx *handlers.Tx, e *journal.Entry) {
	for _, f := range facts() {
		if f.note != e.Note {
			continue
		}
		if f.alert != "" {
			alert(tx, f, e)
		}
		if f.ends {
			ended(tx, e)
		}
		if f.note == "foreign" {
			foreign(tx, e)
		}
	}
}

func alert(tx *handlers.Tx, f fact, e *journal.Entry) {
	message := f.say(e)
	if e.Detail != "" {
		message += ": " + e.Detail
	}
	a := handlers.Alert{
		Type: f.alert, Severity: f.severity, Message: message, Lane: e.Lane, Segment: e.Segment,
		Offset: e.From, Length: max(e.To-e.From, 0), Errno: e.Errno,
	}
	if pos, err := contracts.ParsePosition(e.Position); err == nil && e.Lane == "" {
		a.Lane, a.Segment, a.Offset = pos.Lane, pos.Segment, pos.Offset
	}
	tx.Alert(a)
}

// Storm tells that what followed from one line was cut.
func (*Handler) Storm(tx *handlers.Tx, s *handlers.Storm) {
	message := fmt.Sprintf("more than %d events followed from %s", handlers.MaxEvents, tx.Cause())
	if s.Deep {
		message = fmt.Sprintf("a chain of more than %d causes followed from %s", handlers.MaxDepth, tx.Cause())
	}
	tx.Alert(handlers.Alert{
		Type: "storm", Severity: "critical", Lane: s.Root.Lane, Segment: s.Root.Segment, Offset: s.Root.Offset,
		Message: message + ": the rest is not handled",
	})
}

func say(text string) func(*journal.Entry) string {
	return func(*journal.Entry) string { return text }
}

// about begins with what the note names: a path, or else a lane.
func about(text string) func(*journal.Entry) string {
	return func(e *journal.Entry) string {
		switch {
		case e.Path != "":
			return e.Path + " " + text
		case e.Lane != "":
			return "lane " + e.Lane + " " + text
		}
		return text
	}
}

func sayLost(e *journal.Entry) string {
	if e.To > e.From {
		return fmt.Sprintf("%d bytes of lane %s were gone before they were read", e.To-e.From, e.Lane)
	}
	return fmt.Sprintf("bytes of lane %s were gone before they were read; how many is not known", e.Lane)
}

func sayDestroyed(e *journal.Entry) string {
	return fmt.Sprintf("%d bytes of lane %s that were taken in are gone: still proved by root, gone from history", e.To-e.From, e.Lane)
}

func sayForeign(e *journal.Entry) string {
	if e.SHA256 == "" {
		return fmt.Sprintf("lane %s is the daemon's own and was changed by somebody else", e.Lane)
	}
	return fmt.Sprintf("%d bytes in lane %s that the daemon did not write: quarantined, removed, not obeyed", e.To-e.From, e.Lane)
}

func sayRewritten(e *journal.Entry) string {
	return fmt.Sprintf("lines of lane %s that were taken in came back changed: they are read as a new segment", e.Lane)
}

func sayUnfinished(e *journal.Entry) string {
	return fmt.Sprintf("the last line of lane %s has waited for its newline for a minute", e.Lane)
}

func saySkip(e *journal.Entry) string {
	s := fmt.Sprintf("handler %s failed at %s and was skipped there", e.Handler, e.Position)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}
