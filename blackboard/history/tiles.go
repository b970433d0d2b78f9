package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
)

var errTile = errors.New("it does not hold what its name says")

// Tile names one tile of C2SP tlog-tiles.
type Tile struct {
	Level int
	Index uint64
	Width int // hashes in it: 256 when it is full
}

// Path is the tile's, below tile/: 1/x001/x234/067, or that and .p/W where it
// is not full.
func (t Tile) Path() string { return strconv.Itoa(t.Level) + "/" + indexPath(t.Index, t.Width) }

// indexPath writes a number in groups of three digits.
func indexPath(n uint64, width int) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if width < Width {
		s += fmt.Sprintf(".p/%d", width)
	}
	return s
}

// ParseTile reads a path as Path writes it.
func ParseTile(path string) (Tile, bool) {
	var t Tile
	level, rest, ok := strings.Cut(path, "/")
	n, err := strconv.Atoi(level)
	if !ok || err != nil || n < 0 || n > 63 {
		return t, false
	}
	t.Level, t.Width = n, Width
	if index, width, partial := strings.Cut(rest, ".p/"); partial {
		if t.Width, err = strconv.Atoi(width); err != nil || t.Width < 1 || t.Width >= Width {
			return t, false
		}
		rest = index
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		digits, more := strings.CutPrefix(p, "x")
		v, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) != 3 || more != (i < len(parts)-1) || t.Index > 1<<50 {
			return t, false
		}
		t.Index = t.Index*1000 + v
	}
	return t, t.Path() == path
}

// tiles are the files of one board.
type tiles struct {
	layout layout.Layout
	disk   *durable.Disk
}

func (s tiles) path(t Tile) string {
	return filepath.Join(s.layout.Tiles(), filepath.FromSlash(t.Path()))
}

// write makes a tile whole and durable. A full one takes the place of those
// that led to it.
func (s tiles) write(t Tile, hashes []merkle.Hash) error {
	path := s.path(t)
	if _, err := os.Lstat(path); err == nil && t.Width < Width {
		if got, err := s.read(t); err == nil && equal(got, hashes) {
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the tile %s: %w", t.Path(), err)
	}
	if err := s.disk.WriteFile(path, pack(hashes), 0o644); err != nil {
		return fmt.Errorf("writing the tile %s: %w", t.Path(), err)
	}
	if t.Width == Width {
		_ = os.RemoveAll(path + ".p") // what is left is harmless
	}
	return nil
}

func equal(a, b []merkle.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func pack(hashes []merkle.Hash) []byte {
	b := make([]byte, 0, len(hashes)*len(merkle.Hash{}))
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func unpack(b []byte, width int) ([]merkle.Hash, error) {
	const n = len(merkle.Hash{})
	if len(b) != width*n {
		return nil, fmt.Errorf("%w: expected %d bytes, found %d", errTile, width*n, len(b))
	}
	out := make([]merkle.Hash, width)
	for i := range out {
		out[i] = merkle.Hash(b[i*n:])
	}
	return out, nil
}

// read gives a tile's hashes.
func (s tiles) read(t Tile) ([]merkle.Hash, error) {
	b, err := readSmall(s.path(t), Width*int64(len(merkle.Hash{})))
	if err != nil {
		return nil, err
	}
	return unpack(b, t.Width)
}

// atLeast gives the first width hashes of a tile, from whichever file has them.
func (s tiles) atLeast(level int, index uint64, width int) ([]merkle.Hash, error) {
	if got, err := s.read(Tile{level, index, Width}); err == nil {
		return got[:width], nil
	}
	if width < Width {
		if got, err := s.read(Tile{level, index, width}); err == nil {
			return got, nil
		}
	}
	dir := s.path(Tile{level, index, Width}) + ".p"
	des, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range des {
		if w, err := strconv.Atoi(d.Name()); err == nil && w >= width && w < Width {
			if got, err := s.read(Tile{level, index, w}); err == nil {
				return got[:width], nil
			}
		}
	}
	return nil, fmt.Errorf("reading the tile %s: %w", Tile{level, index, width}.Path(), fs.ErrNotExist)
}

// cut removes the tiles that are over more than size entries.
func (s tiles) cut(size uint64) error {
	return s.each(func(rel, path string) error {
		t, ok := ParseTile(rel)
		if !ok || t.Index*Width+uint64(t.Width) <= size>>(8*t.Level) {
			return nil
		}
		if err := s.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the tile %s, which is over entries that are not signed: %w", rel, err)
		}
		return nil
	})
}

// each calls fn for every file below tiles/.
func (s tiles) each(fn func(rel, path string) error) error {
	root := s.layout.Tiles()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() || strings.HasSuffix(e.Name(), ".tmp") && strings.HasPrefix(e.Name(), ".") {
			return nil
		}
		rel, _ := filepath.Rel(root, path)
		return fn(filepath.ToSlash(rel), path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
