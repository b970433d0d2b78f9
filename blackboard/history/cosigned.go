package history

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

func cosignedPath(l layout.Layout) string { return l.Private("cosigned") }

// CosignedNote is a checkpoint that witnesses have put their names under.
type CosignedNote struct {
	Path string
	Note []byte
}

// KeepCosigned keeps the lines that a witness added to a signed checkpoint, in
// .stigmergy/cosigned/SIZE, beside those of other witnesses, and gives the file
// and what stands in it.
func KeepCosigned(l layout.Layout, disk *durable.Disk, c seal.Checkpoint, note, lines []byte) (*CosignedNote, error) {
	if err := os.MkdirAll(cosignedPath(l), 0o755); err != nil {
		return nil, fmt.Errorf("keeping the cosigned checkpoint: %w", err)
	}
	out := &CosignedNote{filepath.Join(cosignedPath(l), fmt.Sprintf("%016d", c.Size)), append(bytes.Clone(note), lines...)}
	if kept, err := readSmall(out.Path, maxNote); err == nil && bytes.HasPrefix(kept, note) {
		fresh := map[string]bool{}
		for line := range bytes.Lines(lines) {
			fresh[signedBy(line)] = true
		}
		for line := range bytes.Lines(kept[len(note):]) {
			if !fresh[signedBy(line)] { // else its word is renewed
				out.Note = append(out.Note, line...)
			}
		}
	}
	if err := disk.WriteFile(out.Path, out.Note, 0o644); err != nil {
		return nil, fmt.Errorf("keeping the cosigned checkpoint: %w", err)
	}
	return out, nil
}

// signedBy is a signature line up to the hash of its key.
func signedBy(line []byte) string {
	i := bytes.LastIndexByte(line, ' ') + 1
	key, _ := base64.StdEncoding.DecodeString(string(line[i:min(i+8, len(line))]))
	return string(line[:i]) + string(key[:min(4, len(key))])
}

// Cosigned are the cosigned checkpoints that were kept, the newest first.
func Cosigned(l layout.Layout) ([]CosignedNote, error) {
	des, err := os.ReadDir(cosignedPath(l))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the cosigned checkpoints: %w", err)
	}
	sort.Slice(des, func(i, j int) bool { return des[i].Name() > des[j].Name() })
	var out []CosignedNote
	for _, d := range des {
		if d.Name()[0] == '.' || !d.Type().IsRegular() {
			continue
		}
		path := filepath.Join(cosignedPath(l), d.Name())
		note, err := readSmall(path, maxNote)
		if err != nil {
			return nil, fmt.Errorf("reading the cosigned checkpoints: %w", err)
		}
		out = append(out, CosignedNote{path, note})
	}
	return out, nil
}
