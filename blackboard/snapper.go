package blackboard

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"sync"

	"stigmergy/blackboard/journal"
)

// refoldBytes is what a restart folds again at most. A snapshot is taken after
// somewhat less than half of it, and written while the other half comes in; where
// the disk is slower than that, what comes in waits for it.
const (
	refoldBytes = 32 << 20
	snapBytes   = (refoldBytes - 2*batchBytes) / 2
)

// snapper takes snapshots beside the kernel.
type snapper struct {
	files snapshots
	input int64  // bytes of input since the last one
	since uint64 // seq of the newest file of the chain
	chain int64  // bytes of its deltas
	full  int64  // bytes of its full one; 0: there is none

	mu     sync.Mutex
	failed bool // the last one was not written: the next one is full
	wg     sync.WaitGroup
}

// due takes a snapshot when enough came in since the last one. It is asked behind
// every batch.
func (s *snapper) due(k *Kernel) {
	if s.input < snapBytes {
		return
	}
	s.wg.Wait()
	if err := s.save(k, false); err != nil {
		k.log.Warn("taking a snapshot", "error", err)
	}
}

// save takes a snapshot now; the last one of a run waits until it is written.
func (s *snapper) save(k *Kernel, last bool) error {
	if last {
		s.wg.Wait()
	}
	h := k.header()
	s.mu.Lock()
	all := s.failed || s.full == 0 || s.chain > max(s.full, 1<<20)
	if h.Seq == s.since && !all {
		s.mu.Unlock()
		return nil
	}
	s.failed = false
	s.mu.Unlock()
	if !all {
		h.Since = s.since
	}
	text, err := encodeSnapshot(h, k.tails.records(), all, k.fold.Dump)
	if err != nil {
		return err
	}
	s.input, s.since = 0, h.Seq
	if all {
		s.full, s.chain = int64(len(text)), 0
	} else {
		s.chain += int64(len(text))
	}
	k.sync.mark(h.Seq, k.layout.JournalSegment(h.Cursor.Segment))
	if last {
		return s.write(k, h, all, text)
	}
	k.work.pack(h.Cursor.Segment)
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		if err := s.write(k, h, all, text); err != nil {
			k.log.Warn("writing a snapshot", "error", err)
		}
	}()
	return nil
}

// whole asks that the next snapshot be a full one.
func (s *snapper) whole() {
	s.mu.Lock()
	s.failed = true
	s.mu.Unlock()
}

// write brings a snapshot to the disk, behind all that it is made of: recovery
// looks at nothing before it, and would not see what power took there.
func (s *snapper) write(k *Kernel, h snapHeader, all bool, text []byte) error {
	err := k.sync.flush()
	if err == nil {
		err = s.files.save(h, all, text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = s.failed || err != nil
	return err
}

func (s *snapper) close() error {
	s.wg.Wait()
	return nil
}

// header is what a snapshot of now begins with.
func (k *Kernel) header() snapHeader {
	last := k.journal.Last()
	h := snapHeader{
		V: 1, BoardID: k.id, BootID: k.boot, Fold: k.fold.Version(), Version: k.opt.Version,
		Config: k.force, Seq: k.journal.Next(), ElapsedMS: last.ElapsedMS, PowerEpoch: k.epoch,
		Cursor: k.journal.End(), Last: entrySum(&last), Lanes: k.tails.last, UIDs: k.tails.uids, Left: k.tails.left,
	}
	h.Owned = map[string]head{}
	k.fold.Heads(func(lane string, segment uint64, offset int64) { h.Owned[lane] = head{segment, offset} })
	for key := range k.told {
		h.Told = append(h.Told, key)
	}
	sort.Strings(h.Told)
	return h
}

// entrySum names an entry by its line.
func entrySum(e *journal.Entry) string {
	sum := sha256.Sum256(e.Append(nil))
	return hex.EncodeToString(sum[:])
}
