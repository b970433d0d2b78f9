package blackboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
)

// files holds what is made of lanes and journal against them: archives, whose
// frames were decoded already, with everything else in them, and tiles.
func (v *verifier) files() error {
	if err := v.archives(); err != nil {
		return err
	}
	n, err := history.CheckTiles(v.opt.Layout, v.leaves, func(path, what string, short bool) {
		verdict := VerdictTampered
		if short {
			verdict = VerdictTruncated
		}
		v.find(verdict, Finding{Path: v.rel(path), Detail: "a tile: " + what})
	})
	v.out.Tiles = n
	return err
}

// archives reads every byte of every archive of a segment that the journal
// knows.
func (v *verifier) archives() error {
	var paths []layout.Stored
	err := v.opt.Layout.Stored(func(s layout.Stored) error {
		if s.Archive && v.segments[segmentKey{s.Lane, s.Segment}] != nil {
			paths = append(paths, s)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the archives: %w", err)
	}
	work := make(chan layout.Stored)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for range v.opt.Workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for s := range work {
				if err := v.archiveFile(s.Path, &mu); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		}()
	}
	for _, s := range paths {
		if v.ctx.Err() != nil {
			break
		}
		work <- s
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

// archiveFile tells what is wrong with an archive beside its lines. One that is
// told already, by its lines, is told once.
func (v *verifier) archiveFile(path string, mu *sync.Mutex) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // pruned meanwhile
	}
	if err != nil {
		return fmt.Errorf("reading an archive: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return err
	}
	problems := archive.Intact(f, fi.Size())
	if len(problems) == 0 {
		return nil
	}
	if mu != nil {
		mu.Lock()
		defer mu.Unlock()
	}
	rel := v.rel(path)
	for i := range v.out.Findings {
		if v.out.Findings[i].Path == rel {
			return nil
		}
	}
	verdict := VerdictTampered
	if archive.Truncated(f, fi.Size()) {
		verdict = VerdictTruncated
	}
	found := Finding{Path: rel, Offset: ptr(problems[0].Offset), Detail: "an archive: " + problems[0].String()}
	if lane, n, ok := archivedAs(rel); ok {
		found.Lane, found.Segment = lane, n
	}
	v.find(verdict, found)
	return nil
}

// archivedAs is the segment that an archive's path names.
func archivedAs(rel string) (lane string, segment uint64, ok bool) {
	dir, name := filepath.Split(rel)
	if _, err := fmt.Sscanf(name, "%d"+layout.ArchiveExt, &segment); err != nil {
		return "", 0, false
	}
	lane, err := filepath.Rel("archive", filepath.Clean(dir))
	return lane, segment, err == nil && filepath.IsLocal(lane)
}

// beyond looks at what stands behind the journaled end of a lane: lines that
// were not taken in yet, on the lanes that anybody writes; on the daemon's own,
// what nobody should have written.
func (v *verifier) beyond() error {
	active := map[string]*segmentSum{}
	for k, s := range v.segments {
		if a := active[k.lane]; a == nil || a.key.segment < k.segment {
			active[k.lane] = s
		}
	}
	moved := map[string]bool{} // files that are journaled under another name
	for k, rel := range v.moved.paths {
		moved[rel] = moved[rel] || rel != layout.LaneRel(k.lane)
	}
	for _, s := range active {
		if rel, ok := v.moved.elsewhere(s.key); ok && !v.stored(s.key) {
			moved[rel] = true
		}
	}
	return v.opt.Layout.Lanes(func(lane, rel string, e fs.DirEntry) error {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() {
			return nil
		}
		end := int64(0)
		if s := active[lane]; s != nil && !v.stored(s.key) {
			end = s.end + v.moved.bases[s.key]
		}
		if fi.Size() <= end {
			return nil
		}
		v.more = true
		switch {
		case layout.Owned(lane) && !v.opt.Running:
			v.foreign = append(v.foreign, Finding{Path: rel, Lane: lane, Offset: ptr(end), Detail: fmt.Sprintf("%d bytes that the daemon did not write stand behind its end", fi.Size()-end)})
		case !layout.Owned(lane) && !moved[rel] && !v.underWay(fi):
			v.behind(rel, lane, end, fi.Size())
		}
		return nil
	})
}

// underWay says whether a daemon is about to take a file's end in, or the file
// is another name of one.
func (v *verifier) underWay(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1 || v.opt.Running && fi.ModTime().After(v.begun.Add(-takenIn))
}

// takenIn is how long a daemon may need to take a line in, where it polls.
const takenIn = 5 * time.Second

// behind tells of whole lines that no journal entry knows: nothing speaks for
// them. A last line without its newline is none yet.
func (v *verifier) behind(rel, lane string, from, to int64) {
	f, err := os.OpenFile(v.opt.Layout.Dir+"/"+rel, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return // the daemon tells of what cannot be read
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	r := io.NewSectionReader(f, from, to-from)
	for {
		n, err := r.Read(buf)
		if bytes.IndexByte(buf[:n], '\n') >= 0 {
			v.pending = append(v.pending, Finding{Path: rel, Lane: lane, Offset: ptr(from), Detail: fmt.Sprintf("%d bytes were not taken in yet, so no checkpoint is over them", to-from)})
			return
		}
		if err != nil {
			return
		}
	}
}

// stored says whether a segment is no longer the lane's active file.
func (v *verifier) stored(k segmentKey) bool {
	return exists(v.opt.Layout.Segment(k.lane, k.segment)) || exists(v.opt.Layout.Archive(k.lane, k.segment))
}
