package lanes

import (
	"cmp"
	"fmt"
	"slices"
)

// Kind is what a Finding says. What the reader must do stands beside each.
type Kind uint8

const (
	// Found: a lane file nobody tracks. Track it with its lane and its next
	// free segment number, then read it from its start (no Grown follows for
	// what is there already). Orphan set: the bytes are late ones, written
	// into an old file of Lane after its successor went on, or those of a file
	// that was renamed away from Lane's name (Reason Renamed) before anybody
	// looked; they get the next free segment number, too, and end no other
	// segment. An unanswered Found comes again with the next change or sweep.
	Found Kind = iota + 1
	// Grown: Tail has bytes behind its offset that were not there at the last
	// look. Read to its end, or call Tail.Again to hear of it again. Comes for
	// lanes, for files that were moved, deleted or replaced and are still
	// reachable, and for rotated segments. Unfinished lines are reported once
	// per growth, not at each sweep.
	Grown
	// Truncated: the bytes taken in are gone from the file: it is shorter than
	// the offset, or what stands before the offset is something else. From
	// and To give the bytes seen but never taken in (lost; From == To: none
	// known of). What was taken in is destroyed in this file. Track(f, lane,
	// next segment) begins the file anew at 0; read it then. Tail is dead.
	Truncated
	// Replaced: another file stands under the name that Tail had. If
	// Reachable, read Tail to its end first; else From and To give what was
	// seen of it and is lost. Then ask Set.Compare(f) and do as its verdict
	// says. Reason says what became of the old file, 0 if that is not known.
	// Tail stays (Grown still comes for it when Reachable) until Drop.
	Replaced
	// Moved: Tail's file has another lane's name within the board now
	// (OldPath → Path); it keeps its own lane name and segment. A new file
	// under the old name comes as Found: the next segment of that lane.
	Moved
	// Gone: the name is gone, and has been for Options.Settle (or a file that
	// is tracked already took it). Reason Deleted: the file has no name left;
	// read it to its end if Reachable (Grown comes for late bytes until Drop).
	// Away: it has a name outside the board; keep the Tail, for it may come
	// back as Returned, be Replaced, or still grow. Renamed: it stands in the
	// board at Path, under a name that is no lane's (logrotate's ci.jsonl.1);
	// as Away. Not Reachable: no descriptor was held and it is nowhere in the
	// board; From and To give what was seen and is lost. Comes again when an
	// Away or Renamed file is deleted.
	Gone
	// Returned: a file that was Gone (Away or Renamed) is back under Path; go
	// on at the old offset. A Grown follows where it has more.
	Returned
	// Owner: Tail's file belongs to UID now.
	Owner
	// Unreadable: Err says why Path (a lane file, or a folder: then Lane is
	// empty) cannot be opened or read. Said once per cause; looked at again at
	// each sweep. A Tail keeps its offset.
	Unreadable
	// Readable: what was Unreadable can be read again; Found or Grown follow.
	Readable
	// NotALane: Path is named like a lane, or is a link to a folder, but is
	// What ("symlink", "fifo", "socket", "device", "folder"). Never opened;
	// said once per Set (an idle restart must not say it again: that is the
	// reader's to remember, as for HardLink and Unreadable).
	NotALane
	// HardLink: Path is a second name of the lane file at OldPath. Said once.
	HardLink
	// OwnedTouched: an owned lane (or a file under quarantine/) is not what
	// Set.Expect said. Size is what it is now, -1 where it is missing.
	OwnedTouched
	// ConfigChanged: stigmergy.yaml or a contracts/*.schema.json changed, came
	// or went; Path says which. Start reports those that are there.
	ConfigChanged
	// Overflow: the event queue overflowed. A sweep was made: nothing is
	// missed, but it is worth a note.
	Overflow
	// Polling: changes are found by looking every Options.Poll from now on;
	// Err says why watching does not work, or not everywhere. Without Err:
	// watching works again.
	Polling
	// BoardGone: the board's own folder is no longer where it was (Err).
	BoardGone
	// Shrunk: what was taken in of Tail stands, but bytes behind it that were
	// seen and never taken in (an unfinished line) are gone: From and To.
	Shrunk
)

var kindNames = [...]string{
	Found: "found", Grown: "grown", Truncated: "truncated", Replaced: "replaced",
	Moved: "moved", Gone: "gone", Returned: "returned", Owner: "owner",
	Unreadable: "unreadable", Readable: "readable", NotALane: "not_a_lane",
	HardLink: "hard_link", OwnedTouched: "owned_touched", ConfigChanged: "config_changed",
	Overflow: "overflow", Polling: "polling", BoardGone: "board_gone", Shrunk: "shrunk",
}

// String is the kind in lower case, as in "not_a_lane".
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// Reason says what became of a file whose name is gone.
type Reason uint8

const (
	// Deleted: it has no name any more, or none that could be found.
	Deleted Reason = iota + 1
	// Away: it has a name, but not one in the board.
	Away
	// Renamed: it stands in the board under a name that is no lane's.
	Renamed
)

// String is "deleted", "away" or "renamed".
func (r Reason) String() string {
	switch r {
	case Deleted:
		return "deleted"
	case Away:
		return "away"
	case Renamed:
		return "renamed"
	}
	return ""
}

// Finding is one fact about one path, settled against the disk.
//
// Findings come with those that belong to no lane first, then by lane name;
// those of one lane in the order to handle them in.
type Finding struct {
	Kind    Kind
	Tail    *Tail  // the tracked file, nil where there is none
	Lane    string // escaped lane name: Tail's, else the one that Path is named for
	Path    string // board-relative, raw bytes
	OldPath string // Moved, Returned: where it was; HardLink: the name that is the lane
	UID     uint32 // owner of the file: Found, Replaced, Truncated, Owner
	Size    int64  // Found, Replaced, Grown, Truncated, OwnedTouched: the file's size
	From    int64  // [From, To) of Tail was seen, not taken in, and is lost (Shrunk, Truncated, Replaced, Gone)
	To      int64
	Reason  Reason // Gone, Replaced
	What    string // NotALane
	Err     error  // Unreadable, Polling, BoardGone

	// Reachable: Tail's old bytes can still be read through Tail.ReadAt.
	Reachable bool
	// Orphan: bytes of a file that has no lane's name any more, see Found.
	Orphan bool

	cand  *cand  // the new file of Found and Replaced
	ghost *ghost // the old one of an Orphan
}

// ReadAt reads from the new file of a Found or Replaced, from its own start:
// for a reader that compares it with what its journal says.
func (f *Finding) ReadAt(p []byte, off int64) (int, error) {
	if f.cand == nil {
		return 0, fmt.Errorf("reading %s: %w", f.Path, ErrNoFile)
	}
	return f.cand.file.ReadAt(p, off)
}

// order puts findings into the order they are handed out in.
func order(out []Finding) {
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Lane, b.Lane) })
}
