package layout

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoBoard says that no board was found.
var ErrNoBoard = errors.New("no board found")

// Env is the variable that names the board.
const Env = "STIGMERGY_BOARD"

// Find locates the board: the flag, the environment, or the nearest folder
// upwards from the working directory that is a board or holds board/.
func Find(flag, env, cwd string) (Layout, error) {
	for _, named := range []string{flag, env} {
		if named == "" {
			continue
		}
		dir, err := filepath.Abs(named)
		if err != nil {
			return Layout{}, fmt.Errorf("finding the board %s: %w", named, err)
		}
		if in := filepath.Join(dir, "board"); !is(dir) && is(in) {
			dir = in // a folder that holds one
		}
		return Layout{Dir: dir}, check(dir)
	}
	for dir := cwd; ; dir = filepath.Dir(dir) {
		if is(dir) {
			return Layout{Dir: dir}, nil
		}
		if is(filepath.Join(dir, "board")) {
			return Layout{Dir: filepath.Join(dir, "board")}, nil
		}
		if dir == filepath.Dir(dir) {
			return Layout{}, fmt.Errorf("looking for a board from %s upwards: %w", cwd, ErrNoBoard)
		}
	}
}

func is(dir string) bool {
	fi, err := os.Lstat(filepath.Join(dir, ".stigmergy"))
	return err == nil && fi.IsDir()
}

func check(dir string) error {
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("opening the board %s: %w", dir, ErrNoBoard)
	case err != nil:
		return fmt.Errorf("opening the board: %w", err)
	case !fi.IsDir():
		return fmt.Errorf("opening the board %s: not a directory", dir)
	case !is(dir):
		return fmt.Errorf("opening the board %s: it holds no .stigmergy folder: %w", dir, ErrNoBoard)
	}
	return nil
}

// Create makes what a board consists of where it is missing; what stands is
// left as it is. It reports whether anything was made.
func Create(dir string) (Layout, bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, false, fmt.Errorf("making a board: %w", err)
	}
	l := Layout{Dir: dir}
	made := false
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{
		{dir, 0o755}, {l.Private(), 0o755}, {l.Journal(), 0o755}, {l.Private("segments"), 0o755},
		{l.State(), 0o755}, {l.CAS(), 0o755}, {l.Private("log"), 0o755}, {l.Private("keys"), 0o700},
	} {
		if _, err := os.Lstat(d.path); err == nil {
			continue
		}
		if err := os.MkdirAll(d.path, d.mode); err != nil {
			return l, made, fmt.Errorf("making a board: %w", err)
		}
		made = true
	}
	wrote, err := l.writeID()
	return l, made || wrote, err
}

// writeID gives the board its identity, exactly once even when two try.
func (l Layout) writeID() (bool, error) {
	if _, err := os.Lstat(l.BoardID()); err == nil {
		return false, nil
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return false, fmt.Errorf("making a board id: %w", err)
	}
	f, err := os.CreateTemp(l.Private(), "board_id-*")
	if err != nil {
		return false, fmt.Errorf("writing the board id: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(b[:]) + "\n")
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return false, fmt.Errorf("writing the board id: %w", err)
	}
	if err := os.Link(f.Name(), l.BoardID()); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("writing the board id: %w", err)
	}
	return true, nil
}

// ID reads the board's identity.
func (l Layout) ID() (string, error) {
	b, err := os.ReadFile(l.BoardID())
	if err != nil {
		return "", fmt.Errorf("reading the board id: %w", err)
	}
	id := strings.TrimSpace(string(b))
	if len(id) != 32 {
		return "", fmt.Errorf("reading the board id: %s: expected 32 hex digits, found %d bytes", l.BoardID(), len(id))
	}
	return id, nil
}
