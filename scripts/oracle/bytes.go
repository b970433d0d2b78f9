package oracle

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// line is one LF-ended run of bytes, or what stands behind the last LF.
type line struct {
	off    int64
	length int64  // without the LF
	text   []byte // the first bytes, all of them unless the line is longer than the cap
	leaf   [32]byte
	sum    [32]byte // SHA-256 of the line's bytes
	whole  bool     // an LF ended it
}

// lineReader cuts a stream into lines. It keeps at most cap bytes of each, and
// hashes them as they pass.
type lineReader struct {
	r   *bufio.Reader
	cap int
	off int64
	all hash.Hash // of everything that was read
}

func newLineReader(r io.Reader, cap int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 256<<10), cap: cap, all: sha256.New()}
}

func (lr *lineReader) next() (line, error) {
	l := line{off: lr.off}
	leaf, sum := sha256.New(), sha256.New()
	leaf.Write([]byte{0})
	for {
		part, err := lr.r.ReadSlice('\n')
		lr.off += int64(len(part))
		lr.all.Write(part)
		if err == nil {
			part, l.whole = part[:len(part)-1], true
		}
		l.length += int64(len(part))
		leaf.Write(part)
		sum.Write(part)
		if room := lr.cap - len(l.text); room > 0 {
			l.text = append(l.text, part[:min(room, len(part))]...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && l.length == 0:
			return l, io.EOF
		case err != nil && err != io.EOF:
			return l, err
		}
		l.leaf, l.sum = [32]byte(leaf.Sum(nil)), [32]byte(sum.Sum(nil))
		return l, nil
	}
}

// openPlain opens a file's uncompressed bytes; a .zst through the zstd command,
// whose exit code is the error of Close.
func openPlain(path string) (io.ReadCloser, error) {
	if !strings.HasSuffix(path, ".zst") {
		return os.Open(path)
	}
	cmd := exec.Command("zstd", "-dcq", "--", path)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting zstd: %w", err)
	}
	return &unzstd{out, cmd, &said}, nil
}

type unzstd struct {
	io.Reader
	cmd  *exec.Cmd
	said *strings.Builder
}

func (u *unzstd) Close() error {
	_, err := io.Copy(io.Discard, u.Reader)
	if werr := u.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w: %s", strings.Join(u.cmd.Args, " "), werr, u.said.String()))
	}
	return err
}

// lanePath is a lane's file below the board: %XX stands for a byte.
func lanePath(lane string) string {
	var b strings.Builder
	for i := 0; i < len(lane); i++ {
		if lane[i] == '%' && i+2 < len(lane) {
			if n, err := strconv.ParseUint(lane[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(lane[i])
	}
	return b.String() + ".jsonl"
}

// laneName is the lane of a file below the board, as the journal writes it.
func laneName(rel string) string {
	var b strings.Builder
	for i := range len(rel) - len(".jsonl") {
		switch c := rel[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '/', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// place is where the bytes of a segment are.
type place struct {
	path string
	base int64 // the segment begins so many bytes into the file
	end  int64 // and ends there; 0: with the file
}

// places lists every file that holds the segment's bytes. While a segment is
// being archived there are two, and they must agree.
func (c *checker) places(id segmentID) []place {
	var out []place
	add := func(path string, base, end int64) {
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
			out = append(out, place{path, base, end})
		}
	}
	name := fmt.Sprintf("%08d", id.n)
	add(filepath.Join(c.dir, "archive", id.lane, name+".jsonl.zst"), 0, 0)
	add(filepath.Join(c.dir, ".stigmergy", "segments", id.lane, name+".jsonl"), 0, 0)
	// A segment that a power cut ended stays in the lane's file until it is
	// copied out; the next one begins behind it.
	end := c.journal.ends[id]
	if c.journal.latest[id.lane] == id.n || end > 0 && len(out) == 0 {
		add(filepath.Join(c.dir, lanePath(id.lane)), c.journal.base[id], end)
	}
	if moved := c.renamed(id, out); moved != nil {
		return moved
	}
	return out
}

// lanesOnDisk calls fn for every lane file, in name order.
func (c *checker) lanesOnDisk(fn func(rel string) error) error {
	return filepath.WalkDir(c.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := c.rel(path)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || rel == "archive" || rel == "contracts") {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(rel, ".jsonl") || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		return fn(rel)
	})
}
