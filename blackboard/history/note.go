package history

import (
	"bytes"
	"encoding/json"
	"os"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

// backwards are the whole lines of b, the last one first.
func backwards(b []byte) (out [][]byte) {
	for end := bytes.LastIndexByte(b, '\n'); end >= 0; {
		begin := bytes.LastIndexByte(b[:end], '\n')
		out = append(out, b[begin+1:end])
		end = begin
	}
	return out
}

// checkpointLine is what is read of board.checkpoint.
type checkpointLine struct {
	Type string `json:"type"`
	Data struct {
		Note     string `json:"note"`
		Rotation *struct {
			Key  string `json:"key"`
			Note string `json:"note"`
		} `json:"rotation"`
	} `json:"data"`
}

// NoteOf is the signed note of a line of the signer, and the key that came with
// it.
func NoteOf(line []byte) (note []byte, next *Known, ok bool) {
	if !bytes.Contains(line, []byte("board.checkpoint")) {
		return nil, nil, false
	}
	var c checkpointLine
	if json.Unmarshal(line, &c) != nil || c.Type != "board.checkpoint" || c.Data.Note == "" {
		return nil, nil, false
	}
	if r := c.Data.Rotation; r != nil {
		next = &Known{Key: r.Key, Note: r.Note}
		if p, err := seal.PeekCheckpoint([]byte(c.Data.Note)); err == nil {
			next.From = p.Size
		}
	}
	return []byte(c.Data.Note), next, true
}

// NextKey makes the key that is to follow the one that signs now, under the
// next free number.
func NextKey(l layout.Layout, disk *durable.Disk, now *seal.Signer) (*seal.Signer, error) {
	files, err := keyFiles(l)
	if err != nil {
		return nil, err
	}
	n := 1
	if len(files) > 0 {
		n = files[len(files)-1] + 1
	}
	return newKey(l, disk, n, now.Name())
}

// AddVerifier lets one more key count.
func AddVerifier(l layout.Layout, disk *durable.Disk, k Known) error {
	known, err := Verifiers(l)
	if err != nil {
		return err
	}
	return writeVerifiers(l, disk, append(known, k))
}

// Signs says whether something was ever signed here: a checkpoint, a head,
// tiles, or a line of the signer.
func Signs(l layout.Layout) bool {
	for _, path := range []string{l.Checkpoint(), headPath(l), l.Tiles(), l.Lane(SignerLane)} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// Place names a file of the history as it is told to people.
func Place(l layout.Layout, path string) string {
	if rel, ok := bytes.CutPrefix([]byte(path), []byte(l.Dir+"/")); ok {
		return string(rel)
	}
	return path
}
