package blackboard

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"sort"

	"stigmergy/blackboard/history"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

// history holds the journal against every checkpoint that was signed.
func (v *verifier) history() error {
	v.out.Root = base64.StdEncoding.EncodeToString(v.out.root[:])
	if err := v.trusted(); err != nil {
		return err
	}
	v.epoch()
	v.checkpointFile()
	v.headFile()
	v.cosignedFiles()
	v.signerLines()
	v.end()
	return nil
}

// trusted finds out whose signatures count.
func (v *verifier) trusted() error {
	known, err := history.Verifiers(v.opt.Layout)
	if err != nil && !errors.Is(err, history.ErrNoKey) && !errors.Is(err, seal.ErrSignature) {
		return err
	}
	if err == nil {
		v.keys, err = history.Trusted(known, v.opt.Keys...)
	}
	if err != nil {
		v.keys = v.opt.Keys
	}
	if err != nil && !errors.Is(err, history.ErrNoKey) {
		v.find(VerdictTampered, Finding{Path: ".stigmergy/verifiers", Detail: err.Error()})
	}
	return nil
}

// epoch learns since when the history is signed anew, by whose word.
func (v *verifier) epoch() {
	const path = ".stigmergy/epoch"
	e, err := history.ReadEpoch(v.opt.Layout)
	if err == nil && e.Epoch > 0 {
		err = e.Check(v.keys...)
	}
	if err != nil {
		v.find(VerdictTampered, Finding{Path: path, Detail: err.Error()})
		return
	}
	v.out.Epoch, v.from = e.Epoch, e.From
}

// sized is how many entries any checkpoint of the board speaks of, whether its
// signature holds or not.
func (v *verifier) sized() uint64 {
	var n uint64
	for _, note := range [][]byte{v.note, v.head} {
		if c, err := seal.PeekCheckpoint(note); err == nil {
			n = max(n, c.Size)
		}
	}
	for i := range v.cosigned {
		if c, err := seal.PeekCheckpoint(v.cosigned[i].Note); err == nil {
			n = max(n, c.Size)
		}
	}
	return n
}

// open reads a signed checkpoint and holds it against the journal.
func (v *verifier) open(note []byte, f Finding) (seal.Checkpoint, *seal.Opened, bool) {
	c, o, err := seal.OpenCheckpoint(note, v.keys...)
	if err != nil {
		f.Detail = err.Error()
		if len(v.keys) == 0 {
			f.Detail = "it cannot be checked: the board holds no verifier key: give one with --key"
			v.find(VerdictUnsigned, f)
			return c, nil, false
		}
		verdict := VerdictTampered
		if seal.Cut(note) {
			verdict = VerdictTruncated
		}
		v.find(verdict, f)
		return c, nil, false
	}
	return c, o, true
}

func (v *verifier) checkpointFile() {
	const path = ".stigmergy/checkpoint"
	if v.note == nil {
		return
	}
	c, o, ok := v.open(v.note, Finding{Path: path})
	if !ok {
		return
	}
	v.newest, v.out.Origin, v.out.Size = c, c.Origin, c.Size
	for _, k := range o.Signed {
		v.out.Signers = append(v.out.Signers, k.String())
	}
	v.compare(c, Finding{Path: path})
	v.asReported(c, path)
}

// asReported holds the file against the line that reported it: signatures of
// keys that nobody knows are passed over where a note is opened, and one of two
// could be made such a one, or cut off.
func (v *verifier) asReported(c seal.Checkpoint, path string) {
	var other []byte
	for i := range v.notes {
		n := v.notes[i].note
		if is, err := seal.PeekCheckpoint(n); err != nil || is != c || v.notes[i].seq < v.from {
			continue
		}
		if bytes.Equal(n, v.note) {
			return
		}
		other = n
	}
	if other == nil {
		return // it was not reported yet
	}
	verdict := VerdictTampered
	if bytes.HasPrefix(other, v.note) {
		verdict = VerdictTruncated
	}
	v.find(verdict, Finding{Path: path, Detail: "its signatures are not those that the board's own line reported"})
}

func (v *verifier) headFile() {
	const path = ".stigmergy/head"
	if v.head == nil {
		return
	}
	if c, _, ok := v.open(v.head, Finding{Path: path}); ok && v.compare(c, Finding{Path: path}) {
		v.anchored = max(v.anchored, c.Size)
	}
}

// cosignedFiles holds what witnesses know of the board against the journal.
func (v *verifier) cosignedFiles() {
	if len(v.keys) == 0 {
		return // told of the checkpoint
	}
	for _, k := range v.cosigned {
		f := Finding{Path: v.rel(k.Path)}
		c, _, err := seal.OpenCheckpoint(k.Note, v.keys...)
		if errors.Is(err, seal.ErrSignature) && len(v.opt.Keys) > 0 {
			continue // an earlier key's
		}
		if err == nil {
			v.compare(c, f)
			continue
		}
		f.Detail = "a cosigned checkpoint: " + err.Error()
		v.find(VerdictTampered, f)
	}
}

// compare holds a checkpoint against the journal's first entries.
func (v *verifier) compare(c seal.Checkpoint, f Finding) bool {
	if c.Size > uint64(len(v.leaves)) {
		return false // told by end
	}
	if v.rootAt(c.Size) == c.Root {
		v.anchored = max(v.anchored, c.Size)
		v.good = max(v.good, c.Size)
		return true
	}
	v.bad = append(v.bad, c.Size)
	f.Detail = fmt.Sprintf("the journal's first %d entries do not have the root that was signed", c.Size)
	v.unlike = append(v.unlike, f)
	return false
}

// rootAt is the root over the first entries.
func (v *verifier) rootAt(size uint64) merkle.Hash {
	if size == uint64(len(v.leaves)) {
		return v.out.root
	}
	if v.levels == nil {
		v.levels = merkle.LevelsOf(v.leaves)
	}
	root, err := merkle.RootAt(size, v.levels.Node)
	if err != nil { // every node is there
		return merkle.Hash{}
	}
	return root
}

// signerLines holds every checkpoint that was ever reported against the
// journal: they are of one history.
func (v *verifier) signerLines() {
	sort.Slice(v.notes, func(i, j int) bool { return v.notes[i].seq < v.notes[j].seq })
	last := uint64(0)
	for i := range v.notes {
		n := &v.notes[i]
		if n.seq < v.from {
			continue // of an epoch before, whose end a person has accepted
		}
		f := Finding{Lane: history.SignerLane, Line: n.line, Entry: ptr(n.seq)}
		c, err := seal.PeekCheckpoint(n.note)
		if err == nil && len(v.keys) > 0 {
			c, _, err = seal.OpenCheckpoint(n.note, v.keys...)
		}
		if errors.Is(err, seal.ErrSignature) && len(v.opt.Keys) > 0 {
			continue // an earlier key's: the given one says nothing of it
		}
		if err != nil {
			f.Detail = err.Error()
			v.find(VerdictTampered, f)
			continue
		}
		v.out.Checkpoints++
		last = max(last, c.Size)
		v.compare(c, f)
	}
	if v.note != nil && v.newest.Size > 0 && v.newest.Size < last && !v.opt.Running {
		v.find(VerdictRolledBack, Finding{Path: ".stigmergy/checkpoint", Detail: fmt.Sprintf("it is of size %d, and the board's own lines hold one of size %d", v.newest.Size, last)})
	}
}

// end says how far the history reaches: shorter than what is known of it, or
// longer than what is signed.
func (v *verifier) end() {
	n := uint64(len(v.leaves))
	known := max(v.sized(), v.durable)
	short := n < known
	switch {
	case short && !v.torn && !v.more && v.sized() > n && !v.lostEnd():
		v.find(VerdictRolledBack, Finding{Path: ".stigmergy/journal", Entry: ptr(n), Detail: fmt.Sprintf("the board holds %d entries, all of it fits them, and a checkpoint of %d is known", n, v.sized())})
	case short:
		v.find(VerdictTruncated, Finding{Path: ".stigmergy/journal", Entry: ptr(n), Detail: fmt.Sprintf("the journal ends after %d entries; %d are known to have been there", n, known)})
	default:
		for _, f := range v.foreign {
			v.find(VerdictTampered, f)
		}
		for _, f := range v.pending {
			v.find(VerdictUnanchored, f)
		}
	}
	v.changed()
	switch {
	case n == 0 || short:
	case v.note == nil && history.Signs(v.opt.Layout):
		v.find(VerdictUnsigned, Finding{Path: ".stigmergy/checkpoint", Detail: "it is gone: this board was signed"})
	case v.newTail > v.anchored || v.torn:
		v.out.Unanchored = n - v.anchored
		f := Finding{Entry: ptr(v.anchored), Detail: fmt.Sprintf("%d entries are not under a checkpoint yet", n-v.anchored)}
		v.find(VerdictUnanchored, f)
	default:
		v.out.Unanchored = n - v.anchored
	}
}

// lostEnd says whether a lane lacks bytes that the journal names.
func (v *verifier) lostEnd() bool {
	for i := range v.out.Findings {
		if v.out.Findings[i].Verdict == VerdictTruncated {
			return true
		}
	}
	return false
}

// changed names the entries among which the journal was changed: behind the
// largest checkpoint that still fits, before the smallest that does not. The first
// among them that does not read, or does not fit its lines, is the one.
func (v *verifier) changed() {
	if len(v.bad) == 0 {
		return
	}
	first := v.bad[0]
	for _, b := range v.bad {
		first = min(first, b)
	}
	from := uint64(0)
	if v.good < first {
		from = v.good
	}
	suspect, named := first, false
	for i := range v.out.Findings {
		f := &v.out.Findings[i]
		if f.Entry != nil && *f.Entry >= from && *f.Entry < suspect && (f.Verdict == VerdictTampered || f.Verdict == VerdictTruncated) {
			suspect, named = *f.Entry, true
		}
	}
	if named {
		v.find(VerdictTampered, Finding{Path: ".stigmergy/journal", Entry: ptr(suspect), Detail: "the journal entry itself was changed: " + v.unlike[0].Detail})
		return
	}
	from, to := v.narrowed(from, first)
	f := Finding{Path: ".stigmergy/journal", Entry: ptr(from), Detail: v.unlike[0].Detail}
	if to-1 > from {
		f.EntryTo = ptr(to - 1)
	}
	v.find(VerdictTampered, f)
}

// narrowed asks the tiles which 256 entries are not what they were.
func (v *verifier) narrowed(from, to uint64) (uint64, uint64) {
	if block, ok := history.FirstUnlike(v.opt.Layout, v.leaves, from, to); ok {
		return max(from, block), min(to, block+history.Width)
	}
	return from, to
}

// since holds the history against a checkpoint that was kept elsewhere.
func (v *verifier) since() error {
	if v.opt.Since == nil {
		return nil
	}
	c, _, err := seal.OpenCheckpoint(v.opt.Since, v.keys...)
	if err != nil {
		return fmt.Errorf("reading the checkpoint to compare with: %w", err)
	}
	v.out.Since = ptr(c.Size)
	n := uint64(len(v.leaves))
	switch {
	case v.out.Origin != "" && c.Origin != v.out.Origin:
		return fmt.Errorf("reading the checkpoint to compare with: it is of %q, the board of %q", c.Origin, v.out.Origin)
	case c.Size > n:
		v.find(VerdictRolledBack, Finding{Entry: ptr(n), Detail: fmt.Sprintf("the board holds %d entries, and a checkpoint of %d was signed", n, c.Size)})
		return nil
	case v.rootAt(c.Size) != c.Root:
		v.find(VerdictTampered, Finding{Path: ".stigmergy/journal", Entry: ptr(uint64(0)), EntryTo: ptr(max(c.Size, 1) - 1),
			Detail: fmt.Sprintf("the history is not the one of the given checkpoint: its first %d entries have another root", c.Size)})
		return nil
	}
	if size := v.newest.Size; size >= c.Size && size <= n {
		v.rootAt(0)
		proof, err := merkle.ProveConsistency(c.Size, size, v.levelsOf().Node)
		if err != nil {
			return fmt.Errorf("proving consistency with the given checkpoint: %w", err)
		}
		for _, h := range proof {
			v.out.Consistency = append(v.out.Consistency, base64.StdEncoding.EncodeToString(h[:]))
		}
	}
	return nil
}

func (v *verifier) levelsOf() merkle.Levels {
	if v.levels == nil {
		v.levels = merkle.LevelsOf(v.leaves)
	}
	return v.levels
}
