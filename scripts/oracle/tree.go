package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// passing are the parts of a board that say who holds it now, and the
// daemon's own diary: they may change while nothing happens.
var passing = map[string]bool{".stigmergy/lock": true, ".stigmergy/sock": true, ".stigmergy/http": true, ".stigmergy/log": true}

// Hash sums up every file's name, size and bytes, as
//
//	find BOARD -type f | sort | xargs sha256sum | sha256sum
//
// does, without the lock, the socket and the daemon's own log. Two hashes of
// one board that differ have something written between them (I9).
func Hash(dir string) (string, error) {
	all := sha256.New()
	err := Tree(dir, func(rel, sum string) { fmt.Fprintf(all, "%s  %s\n", sum, rel) })
	return hex.EncodeToString(all.Sum(nil)), err
}

// Tree calls fn with every file's SHA-256, in the order of their names, so
// that two of them can be compared with diff.
func Tree(dir string, fn func(rel, sum string)) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if passing[filepath.ToSlash(rel)] {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		sum, err := fileSum(path)
		fn(rel, sum)
		return err
	})
	if err != nil {
		return fmt.Errorf("hashing the tree: %w", err)
	}
	return nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

// Derived lists what was derived as sorted lines of topic and data, without
// what depends on when a lane was rotated or a batch was cut: positions,
// segments, offsets. Two runs over the same lines must give the same list.
func Derived(dir string) ([]string, error) {
	c := &checker{dir: dir, opt: Options{MaxLine: 1 << 20}}
	c.init()
	if err := c.readJournal(); err != nil {
		return nil, fmt.Errorf("listing what was derived: %w", err)
	}
	var out []string
	for _, id := range c.journal.segments {
		if !owned(id.lane) {
			continue
		}
		err := c.walk(id, func(id segmentID, _ *extent, l line) {
			out = append(out, id.lane+"\t"+withoutPlaces(l.text))
		})
		if err != nil {
			return nil, fmt.Errorf("listing what was derived: %w", err)
		}
	}
	sort.Strings(out)
	return out, nil
}

var places = map[string]bool{"position": true, "segment": true, "offset": true, "because": true, "id": true, "time": true, "timestamp": true, "cause": true, "from": true, "to": true, "linedigest": true}

// withoutPlaces gives topic and data of an event, or a whole quarantine record.
func withoutPlaces(text []byte) string {
	var v map[string]any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	strip(v)
	out, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return strings.TrimSpace(string(out))
}

func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if places[k] {
				delete(v, k)
				continue
			}
			strip(x)
		}
	case []any:
		for _, x := range v {
			strip(x)
		}
	}
}
