package exec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"stigmergy/contracts/plan"
)

// source is one input, opened and verified.
type source struct {
	text string     // of an item
	file *os.File   // else
	path string     // where a process finds it
	rest []*os.File // what follows file: of a shard that was split the outputs of its other parts
	from int64
	to   int64
	was  fs.FileInfo // of a file below root: it must not change meanwhile
}

// sources opens the inputs of a task; what was opened is to be closed even if
// it fails.
func (r *Runner) sources(t *Task, root *os.Root) (list []source, err error) {
	for i := range t.Inputs {
		in := &t.Inputs[i]
		switch {
		case in.Shard != "":
			list, err = r.outputs(list, t, in.Shard)
		case in.Item != nil:
			list = append(list, source{text: plan.ItemText(*in.Item)})
		case in.Name != "":
			list, err = r.input(list, t, root, in)
		default:
			err = errors.New("an input: expected a name, an item or a shard, found none")
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// outputs are another shard's, in the store.
func (r *Runner) outputs(list []source, t *Task, shard string) ([]source, error) {
	var digests []string
	ok := false
	if t.Outputs != nil {
		digests, ok = t.Outputs(shard)
	}
	if !ok || len(digests) == 0 {
		return list, fmt.Errorf("the output of shard %.16s is not known", shard)
	}
	var s source
	for i, digest := range digests {
		path := r.cas.Layout.Blob(digest)
		f, err := os.Open(path)
		if err != nil {
			return append(list, s), fmt.Errorf("the output of shard %.16s: %w", shard, err)
		}
		if i == 0 {
			s = source{file: f, path: path, to: -1}
		} else {
			s.rest = append(s.rest, f)
		}
		if got, err := hashOf(f, 0, -1); err != nil || got != digest {
			return append(list, s), errors.Join(fmt.Errorf("the output of shard %.16s: %s: its bytes do not have its SHA-256", shard, path), err)
		}
	}
	return append(list, s), nil
}

// input is a file below root, or a part of one. No link leads out of root.
func (r *Runner) input(list []source, t *Task, root *os.Root, in *plan.Input) ([]source, error) {
	f, err := root.OpenFile(filepath.FromSlash(in.Name), os.O_RDONLY|syscall.O_NONBLOCK, 0) // nobody waits at a pipe
	if err != nil {
		return list, fmt.Errorf("the input %s: %w", in.Name, err)
	}
	s := source{file: f, path: filepath.Join(t.Root, filepath.FromSlash(in.Name)), to: -1}
	s.was, err = f.Stat()
	if in.From != nil {
		s.from = *in.From
	}
	if in.To != nil {
		s.to = *in.To
	}
	switch {
	case err != nil:
		err = fmt.Errorf("the input %s: %w", in.Name, err)
	case !s.was.Mode().IsRegular():
		err = fmt.Errorf("the input %s: expected a regular file, found %s", in.Name, s.was.Mode().Type())
	case in.SHA256 != "":
		err = r.verify(&s, in)
	}
	return append(list, s), err
}

// verify compares an input with the digest that it had when the plan was made.
func (r *Runner) verify(s *source, in *plan.Input) error {
	got, err := hashOf(s.file, s.from, s.to)
	if err != nil {
		return fmt.Errorf("the input %s: %w", in.Name, err)
	}
	if got == in.SHA256 {
		return nil
	}
	return fmt.Errorf("the input %s changed since the plan was made: expected SHA-256 %s, found %s: submit the plan again", in.Name, in.SHA256, got)
}

// hashOf is the SHA-256 of a part of a file, in hex; to < 0 is the end.
func hashOf(f *os.File, from, to int64) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, part(f, from, to)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func part(f *os.File, from, to int64) io.Reader {
	if to < 0 {
		to = 1<<63 - 1
	}
	return io.NewSectionReader(f, from, to-from)
}

// changed tells of a file that was written to while the process read it.
func (s *source) changed() error {
	if s.was == nil {
		return nil
	}
	now, err := s.file.Stat()
	if err != nil {
		return err
	}
	if now.Size() != s.was.Size() || !now.ModTime().Equal(s.was.ModTime()) || changeTime(now) != changeTime(s.was) {
		return fmt.Errorf("the input %s changed while the shard ran: run it again", s.path)
	}
	return nil
}

// whole tells whether the file itself is the input.
func (s *source) whole() bool { return s.file != nil && s.from == 0 && s.to < 0 && s.rest == nil }

// reader gives a file's bytes, and those of what follows it.
func (s *source) reader() io.Reader {
	all := []io.Reader{part(s.file, s.from, s.to)}
	for _, f := range s.rest {
		all = append(all, part(f, 0, -1))
	}
	return io.MultiReader(all...)
}

// paths are the inputs as argv names them: files by their absolute paths, parts
// of files and outputs of parts as files of their own in the folder beside the cwd, items as text.
func paths(list []source, dir string) ([]string, error) {
	out := make([]string, len(list))
	for i := range list {
		s := &list[i]
		switch {
		case s.file == nil:
			out[i] = s.text
		case s.whole():
			out[i] = s.path
		default:
			out[i] = filepath.Join(dir, strconv.Itoa(i))
			if err := cutOut(s, out[i]); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// cutOut makes a file of a part of one.
func cutOut(s *source, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, s.reader())
	return errors.Join(err, f.Close())
}

// stdin is the inputs one after the other; an item is a line.
func stdin(list []source) io.Reader {
	var all []io.Reader
	for i := range list {
		if s := &list[i]; s.file != nil {
			all = append(all, s.reader())
		} else {
			all = append(all, bytes.NewReader([]byte(s.text+"\n")))
		}
	}
	return io.MultiReader(all...)
}

func closeAll(list []source) {
	for i := range list {
		if list[i].file != nil {
			_ = list[i].file.Close() // only read
		}
		for _, f := range list[i].rest {
			_ = f.Close()
		}
	}
}
