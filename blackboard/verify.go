package blackboard

import (
	"context"
	"runtime"
	"sort"
	"time"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

// Verdict is what a verification comes to.
type Verdict string

// The verdicts, the worst first. Only the last three leave the history whole.
const (
	VerdictTampered   Verdict = "tampered"    // bytes are not those that were taken in or signed
	VerdictTruncated  Verdict = "truncated"   // bytes are missing at the end of a file
	VerdictRolledBack Verdict = "rolled_back" // an older board than a known checkpoint
	VerdictUnsigned   Verdict = "unsigned"    // there was a checkpoint, and there is none
	VerdictDestroyed  Verdict = "destroyed"   // bytes are gone, and that was recorded when it happened
	VerdictUnanchored Verdict = "unanchored"  // the end is not under a checkpoint yet
	VerdictPruned     Verdict = "pruned"      // deleted as retention says, still anchored
	VerdictOK         Verdict = "ok"
)

func verdicts() []Verdict {
	return []Verdict{VerdictTampered, VerdictTruncated, VerdictRolledBack, VerdictUnsigned, VerdictDestroyed, VerdictUnanchored, VerdictPruned, VerdictOK}
}

// rank orders verdicts, the worst first.
func (v Verdict) rank() int {
	for i, w := range verdicts() {
		if v == w {
			return i
		}
	}
	return 0
}

// Worse tells whether v speaks more against a board than w.
func (v Verdict) Worse(w Verdict) bool { return v.rank() < w.rank() }

// VerifyOptions say what to verify, and against what.
type VerifyOptions struct {
	Layout  layout.Layout
	Keys    []*seal.Verifier // whose signatures count; none: the board's own first key, and those it named
	Since   []byte           // a signed checkpoint that was kept elsewhere
	SHA256  bool             // the flat hashes of seals too
	Running bool             // a daemon holds the board: its end moves
	Workers int              // 0: one a core
	Notify  func(lines uint64)
}

// Finding is one thing that is not as it was signed, and where. Lines count from
// 1 within their segment; Entry is a journal entry's seq.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	Path    string  `json:"path,omitempty"` // below the board
	Lane    string  `json:"lane,omitempty"`
	Segment uint64  `json:"segment,omitempty"`
	Line    int64   `json:"line,omitempty"`
	LineTo  int64   `json:"line_to,omitempty"` // the last one that it may be
	Offset  *int64  `json:"offset,omitempty"`
	Entry   *uint64 `json:"entry,omitempty"`
	EntryTo *uint64 `json:"entry_to,omitempty"` // the last one that it may be
	Detail  string  `json:"detail"`
}

// Verified is what a verification found.
type Verified struct {
	Verdict     Verdict   `json:"verdict"`
	BoardID     string    `json:"board_id"`
	Origin      string    `json:"origin,omitempty"`
	Entries     uint64    `json:"entries"`
	Root        string    `json:"root"` // over all entries, base64
	Size        uint64    `json:"size"` // of the newest checkpoint
	Checkpoints int       `json:"checkpoints"`
	Epoch       uint64    `json:"epoch,omitempty"` // 2 and more: signing had stopped, and a person let it go on
	Unanchored  uint64    `json:"unanchored_entries"`
	Segments    int       `json:"segments"`
	Lines       uint64    `json:"lines"`
	Bytes       int64     `json:"bytes"`
	Tiles       int       `json:"tiles"`
	Seals       int       `json:"seals,omitempty"`   // whose flat SHA-256 was compared
	Plans       int       `json:"plans,omitempty"`   // whose certificates were checked
	Outputs     int       `json:"outputs,omitempty"` // of theirs, hashed again
	Signers     []string  `json:"signers,omitempty"` // keys under the newest checkpoint
	Since       *uint64   `json:"since,omitempty"`
	Consistency []string  `json:"consistency,omitempty"` // from since to size, base64
	Findings    []Finding `json:"findings,omitempty"`
	root        merkle.Hash
}

// First is the worst finding, the first of its kind; nil when all is well.
func (v *Verified) First() *Finding {
	if len(v.Findings) == 0 {
		return nil
	}
	return &v.Findings[0]
}

// maxFindings is how many findings are kept: a board that is another one has as
// many as entries.
const maxFindings = 1000

func (v *Verified) add(f Finding) {
	if len(v.Findings) < maxFindings {
		v.Findings = append(v.Findings, f)
	}
}

// Verify recomputes everything from the bytes, offline, beside a daemon or
// without one: every lane's lines against the journal, the journal against every
// checkpoint that was signed, tiles and archives against what they are made of.
// The error is nil when it could look at everything.
func Verify(ctx context.Context, opt VerifyOptions) (*Verified, error) {
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	v := &verifier{opt: opt, ctx: ctx, begun: time.Now(), out: &Verified{}}
	for _, step := range []func() error{v.known, v.journal, v.lanes, v.files, v.seals, v.history, v.since} {
		if err := step(); err != nil {
			return v.out, err
		}
		if err := ctx.Err(); err != nil {
			return v.out, err
		}
	}
	v.judge()
	return v.out, nil
}

// verifier is one verification under way.
type verifier struct {
	opt VerifyOptions
	ctx context.Context
	out *Verified

	begun    time.Time
	badID    error  // why the file with the board's id cannot be read
	misnamed bool   // it is not the journal's: told
	durable  uint64 // entries below it were on disk
	note     []byte // .stigmergy/checkpoint
	head     []byte // .stigmergy/head
	cosigned []history.CosignedNote
	keys     []*seal.Verifier
	newest   seal.Checkpoint // the largest that is signed by one of keys
	anchored uint64          // entries below it are under a checkpoint or the head
	newTail  uint64          // entries from here on are the signer's own lines only

	leaves   []merkle.Hash
	segments map[segmentKey]*segmentSum // the entries that carry lines, by segment
	gone     map[segmentKey][]journal.Entry
	pruned   map[segmentKey]uint64
	hashed   map[string]bool // objects of the store that entries name
	moved    *content        // where segments begin and stand
	torn     bool            // the journal's last line has no newline
	notes    []signedNote
	sealed   []sealedSegment // to be compared, where SHA256 is wanted
	more     bool            // lanes hold bytes that the journal does not know
	foreign  []Finding       // among them, on the daemon's own lanes
	pending  []Finding       // and lines of others, which are to be taken in
	levels   merkle.Levels   // over leaves, once somebody asks
	from     uint64          // entries that stood before this epoch
	good     uint64          // the largest checkpoint that fits
	bad      []uint64        // sizes of those that do not
	unlike   []Finding       // where they stand
}

// span is one entry that carries lines.
type span struct {
	seq      uint64
	from, to int64
	lines    int64
	root     merkle.Hash
	derived  bool
}

// segmentSum are the spans of one segment.
type segmentSum struct {
	key   segmentKey
	spans []span
	lines int64
	end   int64
}

// signedNote is a checkpoint that a line of the signer holds.
type signedNote struct {
	note []byte
	seq  uint64 // of the entry that took it in
	line int64
}

func (v *verifier) find(verdict Verdict, f Finding) {
	f.Verdict = verdict
	v.out.add(f)
}

// judge puts the worst first and makes it the verdict.
func (v *verifier) judge() {
	if v.out.Unanchored > 0 && !v.whole() {
		v.out.Unanchored = 0
	}
	v.out.Judge()
}

// Judge adds what somebody else has found out about the board, puts the worst
// first and makes it the verdict.
func (o *Verified) Judge(more ...Finding) {
	for _, f := range more {
		o.add(f)
	}
	sort.SliceStable(o.Findings, func(i, j int) bool {
		a, b := &o.Findings[i], &o.Findings[j]
		if a.Verdict != b.Verdict {
			return a.Verdict.rank() < b.Verdict.rank()
		}
		return a.Entry != nil && (b.Entry == nil || *a.Entry < *b.Entry)
	})
	o.Verdict = VerdictOK
	if len(o.Findings) > 0 {
		o.Verdict = o.Findings[0].Verdict
	}
}

// whole says whether nothing speaks against the history.
func (v *verifier) whole() bool {
	for i := range v.out.Findings {
		if v.out.Findings[i].Verdict.rank() < VerdictUnanchored.rank() {
			return false
		}
	}
	return true
}

func ptr[T any](x T) *T { return &x }
