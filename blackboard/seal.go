package blackboard

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// archivedData is board.segment.archived.
type archivedData struct {
	Lane    string `json:"lane"`
	Segment uint64 `json:"segment"`
	Path    string `json:"path"` // below the board
	Raw     int64  `json:"raw_bytes"`
	Bytes   int64  `json:"archive_bytes"`
	Frames  int    `json:"frames"`
	SHA256  string `json:"archive_sha256"` // of its data frames; the index is not covered
}

// seal fixes a segment once nobody can write to it any more: what is new is
// taken in while a lease keeps writers out, then the rest happens beside the
// kernel.
func (w *workers) seal(ctx context.Context, j *job) error {
	k := w.k
	t := k.tails.all[segmentKey{j.seg.Lane, j.seg.Segment}]
	if t == nil { // an owned lane's, or one whose file was lost
		w.sealFile(j, j.seg.Bytes)
		return nil
	}
	if !t.copied && exists(k.layout.Segment(t.lane, t.segment)) { // before a crash
		t.stage, t.copied = sealed, true
	}
	if t.stage != sealed {
		if err := k.drain(ctx, t); err != nil {
			return err
		}
		ok, err := w.lease(ctx, t)
		if errors.Is(err, lanes.ErrNoFile) {
			return k.vanished(ctx, t.key(), t.t.Offset())
		}
		if err != nil || !ok {
			w.later(j, err)
			return nil
		}
		t.stage = sealed
	}
	w.sealFile(j, t.t.Offset())
	return nil
}

// lease takes in what is new while nobody can write, and says whether that is
// all there will ever be.
func (w *workers) lease(ctx context.Context, t *tail) (bool, error) {
	k := w.k
	var inner error
	ok, known, err := k.set.Seal(t.t, func() error {
		inner = k.drain(ctx, t)
		return inner
	})
	if err != nil || inner != nil {
		return false, errors.Join(err, inner)
	}
	if known {
		return ok, nil
	}
	// It cannot be told here: a segment that was quiet long enough is over;
	// late bytes get the next free segment number.
	quiet := k.opt.Clock.Now().UnixNano() - max(t.last, t.born)
	t.unsure = quiet >= int64(k.config.Settings.SealQuiet)
	return t.unsure, nil
}

// sealFile hashes a segment's bytes beside the kernel and reports the seal.
func (w *workers) sealFile(j *job, end int64) {
	k := w.k
	t := k.tails.all[segmentKey{j.seg.Lane, j.seg.Segment}]
	var src io.ReaderAt
	var from journal.Cursor
	limit := int64(1 << 62)
	if t != nil {
		from = t.first
		if t.limit > 0 {
			limit = t.limit
		}
		if !t.copied {
			src = io.NewSectionReader(t.t, 0, limit)
		}
	}
	w.background(j, func(ctx context.Context) (func(context.Context) error, error) {
		path := k.layout.Segment(j.seg.Lane, j.seg.Segment)
		if src != nil {
			if err := copyOut(k, src, path); err != nil {
				return w.nowhere(j, end, err)
			}
		}
		s, err := sealOf(path, j.seg, end, limit)
		if err != nil {
			return w.nowhere(j, end, err)
		}
		if err := s.times(k.layout, from); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			if t != nil {
				t.copied = true
			}
			return w.report(ctx, "board.segment.sealed", j.Key, s.segmentJob)
		}, nil
	})
}

// nowhere answers that a segment's bytes cannot be read: for now, or for ever.
func (w *workers) nowhere(j *job, end int64, err error) (func(context.Context) error, error) {
	gone := errors.Is(err, lanes.ErrNoFile) || errors.Is(err, fs.ErrNotExist)
	if !gone || exists(w.k.layout.Segment(j.seg.Lane, j.seg.Segment)) {
		return nil, err
	}
	return func(ctx context.Context) error {
		return w.k.vanished(ctx, segmentKey{j.seg.Lane, j.seg.Segment}, end)
	}, nil
}

type sealing struct{ segmentJob }

// sealOf reads a segment whole. Bytes behind the last newline belong to it:
// they are archived too, though no event.
func sealOf(path string, j segmentJob, end, limit int64) (*sealing, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("sealing lane %s, segment %d: %w", j.Lane, j.Segment, err)
	}
	defer f.Close()
	flat := sha256.New()
	var tree merkle.Tree
	br := bufio.NewReaderSize(io.TeeReader(io.LimitReader(f, limit), flat), 256<<10)
	whole := int64(0)
	for {
		n, ended, leaf, err := nextLeaf(br)
		if err != nil {
			return nil, fmt.Errorf("sealing lane %s, segment %d: %w", j.Lane, j.Segment, err)
		}
		if ended {
			tree.Add(leaf)
		}
		whole += n
		if n == 0 {
			break
		}
	}
	if whole < end {
		return nil, fmt.Errorf("sealing lane %s, segment %d: %s has %d bytes, %d were taken in", j.Lane, j.Segment, path, whole, end)
	}
	s := &sealing{segmentJob{Lane: j.Lane, Segment: j.Segment, Bytes: whole, Lines: int64(tree.Size()), Root: tree.Root().String()}}
	s.SHA256 = hex.EncodeToString(flat.Sum(nil))
	return s, nil
}

// nextLeaf hashes one line, however long, without holding more than a piece.
func nextLeaf(br *bufio.Reader) (n int64, ended bool, leaf merkle.Hash, err error) {
	line, err := br.ReadSlice('\n')
	if err == nil {
		return int64(len(line)), true, merkle.LeafHash(line[:len(line)-1]), nil
	}
	s := newLongScan()
	for errors.Is(err, bufio.ErrBufferFull) {
		s.add(line)
		n += int64(len(line))
		line, err = br.ReadSlice('\n')
	}
	n += int64(len(line))
	if err == io.EOF {
		return n, false, leaf, nil
	}
	if err != nil {
		return n, false, leaf, err
	}
	s.add(line[:len(line)-1])
	return n, true, s.end().leaf, nil
}

// times are those of the first and the last entry that took the segment in.
func (s *sealing) times(l layout.Layout, from journal.Cursor) error {
	_, err := journal.Scan(l, from, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Lane != s.Lane || e.Segment != s.Segment || e.Kind != journal.Input && e.Kind != journal.Derived {
			return nil
		}
		if s.TimeFrom == "" {
			s.TimeFrom = journal.FormatTime(e.Time)
		}
		s.TimeTo = journal.FormatTime(e.Time)
		return nil
	})
	return err
}

// copyOut brings the bytes of a segment whose file is not ours, or has no name
// any more, to where rotated segments stand.
func copyOut(k *Kernel, src io.ReaderAt, path string) error {
	if exists(path) {
		return nil // by the run before
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("keeping a segment: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".copy-*.tmp")
	if err != nil {
		return fmt.Errorf("keeping a segment: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, io.NewSectionReader(src, 0, 1<<62))
	if err = errors.Join(err, tmp.Chmod(0o644), k.disk.Sync(tmp), tmp.Close()); err != nil {
		return fmt.Errorf("keeping a segment in %s: %w", path, err)
	}
	err = k.disk.RenameNew(tmp.Name(), path)
	return errors.Join(err, k.disk.SyncDir(filepath.Dir(path)))
}

// archive compresses a sealed segment, reads it back, and reports it.
func (w *workers) archive(j *job) {
	k := w.k
	t := k.tails.all[segmentKey{j.seg.Lane, j.seg.Segment}]
	var from journal.Cursor
	if t != nil {
		from = t.first
	}
	set, cfg := k.config.Settings, k.config
	w.background(j, func(ctx context.Context) (func(context.Context) error, error) {
		// What the archive stands for must not be forgotten by a power cut
		// that leaves the archive and takes the journal's end.
		if err := k.sync.wait(ctx, uint64(k.now.Load())); err != nil {
			return nil, err
		}
		known, err := knownOf(k.layout, from, j.seg)
		if err != nil {
			return nil, err
		}
		seal, err := j.seg.seal()
		if err != nil {
			return nil, err
		}
		path := k.layout.Archive(j.seg.Lane, j.seg.Segment)
		policy, err := contracts.NewPolicy(set.Roles, set.PolicyForeignOwned, cfg.DaemonUID, cfg.Users)
		if err != nil {
			return nil, err
		}
		made, err := archive.Store(archive.StoreRequest{
			Raw: k.layout.Segment(j.seg.Lane, j.seg.Segment), Path: path, Disk: k.disk, Context: ctx, Seal: seal,
			Source: archive.Source{Lane: j.seg.Lane, Segment: j.seg.Segment, Runs: known.runs, Extract: archive.NewExtractor(archive.Contracts{
				Registry: cfg.Registry, Checker: cfg.Checker,
				Forged:  func(t *contracts.Topic) bool { return policy.Forged(t, j.seg.Lane) },
				Refused: known.verdict(),
			})},
			Write: archive.WriteOptions{FrameBytes: set.ArchiveFrameBytes, Level: set.ArchiveLevel, IDs: set.IndexIDs, Low: true},
		})
		if err != nil {
			return nil, fmt.Errorf("archiving lane %s, segment %d: %w", j.seg.Lane, j.seg.Segment, err)
		}
		w.catalog()
		data := archivedData{Lane: j.seg.Lane, Segment: j.seg.Segment, Path: layout.ArchiveRel(j.seg.Lane, j.seg.Segment),
			Raw: made.RawBytes, Bytes: made.Size, Frames: made.Frames, SHA256: hexSum(made.DataSHA256)}
		return func(ctx context.Context) error { return w.report(ctx, "board.segment.archived", j.Key, data) }, nil
	})
}

// catalog brings the summary of all archives up to date; it is a cache.
func (w *workers) catalog() {
	c, err := archive.OpenCatalog(w.k.layout, archive.NewDecoder())
	if err == nil {
		err = c.Save(w.k.disk)
	}
	if err != nil {
		w.k.log.Warn("summing up the archives", "error", err)
	}
}

func (j *segmentJob) seal() (archive.Seal, error) {
	s := archive.Seal{Lines: j.Lines, Bytes: j.Bytes}
	_, err1 := hex.Decode(s.SHA256[:], []byte(j.SHA256))
	_, err2 := hex.Decode(s.Root[:], []byte(j.Root))
	return s, errors.Join(err1, err2)
}

// background runs work beside the kernel, one at a time; what it gives back is
// done on the kernel's goroutine.
func (w *workers) background(j *job, work func(context.Context) (func(context.Context) error, error)) {
	j.running, w.busy = true, true
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		then, err := work(w.ctx)
		w.post(func(ctx context.Context) error {
			w.busy = false
			if err != nil {
				if w.ctx.Err() == nil {
					w.later(j, err)
				}
				return nil
			}
			return then(ctx)
		})
	}()
}
