package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"stigmergy/blackboard/durable"
)

// RebuildRequest asks for the index and the seek table of an archive to be made
// anew.
type RebuildRequest struct {
	Path   string
	Source Source
	Write  WriteOptions
	// Seal, if known, is what the content must be. Without it a file whose
	// end is damaged is rebuilt only if index or seek table still tell where
	// the frames end.
	Seal *Seal
	Disk *durable.Disk
}

// Rebuild makes the index and the seek table of an archive anew; its frames are
// copied byte for byte. A damaged frame is an error, and the file stays. The
// file is replaced by rename, as Store does.
func Rebuild(req RebuildRequest) (Written, error) {
	f, err := os.Open(req.Path)
	if err != nil {
		return Written{}, fmt.Errorf("rebuilding an index: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Written{}, fmt.Errorf("rebuilding an index: %w", err)
	}
	var w Written
	atPriority(req.Write.Low, func() { w, err = req.rebuild(f, fi.Size()) })
	if err != nil {
		return Written{}, fmt.Errorf("rebuilding the index of %s: %w", req.Path, err)
	}
	return w, nil
}

func (req *RebuildRequest) rebuild(f *os.File, size int64) (w Written, err error) {
	frames, err := req.frames(f, size)
	if err != nil {
		return w, err
	}
	req.Write = req.Write.withDefaults()
	col, out, seal, err := req.collect(f, frames)
	if err != nil {
		return w, err
	}
	if req.Seal != nil {
		if what := req.Seal.differs(&seal); what != "" {
			return w, errors.New(what)
		}
	}
	data := io.NewSectionReader(f, 0, out.offset)
	err = replace(req.Path, req.Disk, func(dst io.Writer) error {
		if _, err := io.Copy(dst, data); err != nil {
			return err
		}
		w, err = finish(dst, col, out)
		return err
	}, func(tmp string) error { return checkStored(tmp, &seal) })
	w.RawSHA256 = seal.SHA256
	out.sum.Sum(w.DataSHA256[:0])
	return w, err
}

// frames finds the frames without believing the index.
func (req *RebuildRequest) frames(f *os.File, size int64) ([]Frame, error) {
	frames, loose, err := walk(f, size)
	if loose {
		return nil, errors.New("its frames cannot be decoded alone: other tools wrote it; archive the segment again")
	}
	if err == nil || req.Seal != nil {
		return frames, nil
	}
	r, oerr := NewDecoder().Open(f, size)
	if oerr == nil && len(r.frames) == len(frames) && dataBytes(r.frames) == dataBytes(frames) &&
		(r.x != nil || len(r.seekFrames()) == len(frames)) {
		return frames, nil
	}
	return nil, fmt.Errorf("it is damaged %w, and nothing tells where its frames end", err)
}

// collect decodes every frame and gathers what the index says of it.
func (req *RebuildRequest) collect(f *os.File, frames []Frame) (*collector, *output, Seal, error) {
	col := newCollector(req.Source, req.Write.IDs)
	r := &Reader{f: f, dec: NewDecoder(), frames: frames}
	fd, s, out := newFeeder(col), newSealer(), &output{w: io.Discard, sum: sha256.New()}
	var raw, packed []byte
	for i := range frames {
		var err error
		if raw, err = r.DecodeFrame(i, raw); err != nil {
			return nil, nil, Seal{}, err
		}
		packed = append(packed[:0], make([]byte, frames[i].Size)...)
		if err := readAt(f, packed, frames[i].Offset); err != nil {
			return nil, nil, Seal{}, err
		}
		if frames[i].Offset != out.offset {
			return nil, nil, Seal{}, fmt.Errorf("frame %d at byte %d: something else stands before it", i, frames[i].Offset)
		}
		if err := out.frame(packed); err != nil {
			return nil, nil, Seal{}, err
		}
		s.Write(raw)
		if err := fd.frame(raw, frames[i].RawOffset, i == len(frames)-1); err != nil {
			return nil, nil, Seal{}, fmt.Errorf("frame %d at byte %d: %w", i, frames[i].Offset, err)
		}
	}
	fd.flush()
	return col, out, s.done(), col.finish()
}
