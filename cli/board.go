package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

// format is the output format: what -o says, else text for people and the
// stored lines for programs.
func (a *app) format() string {
	switch {
	case a.line.Output != "":
		return a.line.Output
	case a.out.tty:
		return "text"
	}
	return "jsonl"
}

// colors tells whether standard output shows colours.
func (a *app) colors() bool {
	switch a.line.Color {
	case "always":
		return true
	case "never":
		return false
	}
	return a.out.tty && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
}

// board finds the board that the command is about.
func (a *app) board() (layout.Layout, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return layout.Layout{}, fmt.Errorf("finding the working directory: %w", err)
	}
	l, err := layout.Find(a.line.Board, a.getenv(layout.Env), cwd)
	if err == nil {
		return l, nil
	}
	if errors.Is(err, layout.ErrNoBoard) {
		return l, noBoard(l, cwd)
	}
	return l, &Fault{Err: err, Path: l.Dir, Code: codeUsage, Try: "ls -ld " + shellQuote(l.Dir)}
}

// noBoard says where a board was looked for, and how one is made.
func noBoard(l layout.Layout, cwd string) error {
	f := &Fault{Doing: "looking for a board from here upwards", Path: cwd, Try: "stigmergy init", Code: codeUsage}
	why := ""
	if l.Dir != "" {
		f.Doing, f.Path, f.Try = "opening the board", l.Dir, "stigmergy init "+shellQuote(l.Dir)
		if _, err := os.Lstat(l.Dir); err == nil {
			why = "it holds no .stigmergy folder: "
		}
	}
	f.Err = fmt.Errorf("%s%w: run `%s`", why, layout.ErrNoBoard, f.Try)
	return f
}

// boardOr is board, or where a new one would be made: -C, the environment, or
// board in the working directory.
func (a *app) boardOr() (l layout.Layout, missing bool, err error) {
	l, err = a.board()
	if !errors.Is(err, layout.ErrNoBoard) {
		return l, false, err
	}
	if l.Dir == "" {
		dir, err := filepath.Abs("board")
		return layout.Layout{Dir: dir}, true, err
	}
	return l, true, nil
}

// settings reads the board's settings for a daemon: a wrong one is a fault.
func (a *app) settings(l layout.Layout, flags map[string]string) (*settings.Settings, error) {
	s, faults, err := a.loadSettings(l, flags)
	if err != nil || len(faults) == 0 {
		return s, err
	}
	for _, f := range faults[1:] {
		a.note("stigmergy: reading the settings: %s", f.Error())
	}
	return nil, settingsFault(l, faults[0])
}

// someSettings is settings for who only looks or writes: a wrong one is told,
// once, and what is right counts.
func (a *app) someSettings(l layout.Layout) (*settings.Settings, error) {
	s, faults, err := a.loadSettings(l, nil)
	a.warned.Do(func() {
		for _, f := range faults {
			a.note("stigmergy: warning: reading the settings: %s", f.Error())
		}
	})
	return s, err
}

func (a *app) loadSettings(l layout.Layout, flags map[string]string) (*settings.Settings, []settings.Fault, error) {
	text, err := readSmall(l.Settings())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("reading the settings: %w", err)
	}
	s, faults := settings.Load(text, a.environ, flags)
	return s, faults, nil
}

func settingsFault(l layout.Layout, f settings.Fault) error {
	out := &Fault{Doing: "reading the settings", Path: f.Source, Expected: f.Expected, Found: f.Found, Try: f.Try, Code: codeUsage}
	if f.Line > 0 {
		out.Path, out.Position = l.Settings(), fmt.Sprintf("%d:%d", f.Line, f.Column)
		if out.Try == "" {
			out.Try = "mend " + out.Path + "; stigmergy status shows the settings in force"
		}
	}
	if f.Key != "" {
		out.Position = strings.TrimPrefix(out.Position+": "+f.Key, ": ")
	}
	return out
}

// maxSmall bounds files that people write and we read whole.
const maxSmall = 4 << 20

// readSmall reads a regular file, following no link and waiting for nobody.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openGuards, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	case fi.Size() > maxSmall:
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, more than the %d that such a file may have", fi.Size(), maxSmall)}
	}
	buf := make([]byte, fi.Size())
	n, err := f.ReadAt(buf, 0)
	if n == len(buf) {
		err = nil
	}
	return buf[:n], err
}

// readGiven reads what somebody names on a command line, at most so many bytes: a
// file, one that a link leads to, a pipe of the shell's, or - for standard input.
func readGiven(stdin io.Reader, path string, most int64) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("more than the %d bytes that it may have", most)}
	}
	return b, err
}

// contractFault is a contract of the board's own that could not be used.
type contractFault struct {
	path  string
	fault contracts.ContractFault
}

// registry is the built-in contracts with the board's own beside them.
func (a *app) registry(l layout.Layout) (*contracts.Registry, []contractFault, error) {
	files, err := contractFiles(l)
	if err != nil {
		return nil, nil, err
	}
	if len(files) == 0 {
		return contracts.Builtin(), nil, nil
	}
	r, bad := contracts.Builtin().With(files)
	var faults []contractFault
	for _, f := range bad {
		faults = append(faults, contractFault{filepath.Join(l.Contracts(), f.Topic+schemaExt), f})
	}
	return r, faults, nil
}

const schemaExt = ".schema.json"

// contractFiles reads the board's own contracts, by topic.
func contractFiles(l layout.Layout) (map[string][]byte, error) {
	entries, err := os.ReadDir(l.Contracts())
	if errors.Is(err, fs.ErrNotExist) || l.Dir == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the board's contracts: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		topic, ok := strings.CutSuffix(e.Name(), schemaExt)
		if !ok || e.IsDir() {
			continue
		}
		text, err := readSmall(filepath.Join(l.Contracts(), e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the board's contracts: %w", err)
		}
		files[topic] = text
	}
	return files, nil
}
