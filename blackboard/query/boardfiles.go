package query

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxSmall bounds a settings or contract file.
const maxSmall = 1 << 20

// readIf reads a small file; one that is not there is empty.
func readIf(path string) ([]byte, error) {
	f, _, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = fmt.Errorf("it has more than %d bytes", maxSmall)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return b, nil
}

// contractFiles reads a board's own contracts, by topic; one that cannot be
// read is left out, as the daemon does.
func contractFiles(dir string) (map[string][]byte, error) {
	des, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the board's contracts: %w", err)
	}
	all := map[string][]byte{}
	for _, d := range des {
		topic, ok := strings.CutSuffix(d.Name(), ".schema.json")
		if !ok {
			continue
		}
		if b, err := readIf(filepath.Join(dir, d.Name())); err == nil && b != nil {
			all[topic] = b
		}
	}
	return all, nil
}
