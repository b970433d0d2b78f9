package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// seal is a board.segment.sealed line.
type seal struct {
	where      string
	Lane       string
	Segment    uint64
	Bytes      int64
	Lines      int64
	SHA256     string
	MerkleRoot string `json:"merkle_root"`
}

// archived is a board.segment.archived line.
type archived struct {
	where         string
	Lane          string
	Segment       uint64
	Path          string
	RawBytes      int64  `json:"raw_bytes"`
	ArchiveBytes  int64  `json:"archive_bytes"`
	ArchiveSHA256 string `json:"archive_sha256"`
}

// workerLine keeps what the archiver said.
func (c *checker) workerLine(id segmentID, l line) {
	if id.lane != "workers/archive" {
		return
	}
	var e struct {
		Type string
		Data json.RawMessage
	}
	if json.Unmarshal(l.text, &e) != nil {
		return // judged elsewhere
	}
	var err error
	switch e.Type {
	case "board.segment.sealed":
		s := seal{where: id.at(l.off)}
		err = json.Unmarshal(e.Data, &s)
		c.seals = append(c.seals, s)
	case "board.segment.archived":
		a := archived{where: id.at(l.off)}
		err = json.Unmarshal(e.Data, &a)
		c.archives = append(c.archives, a)
	}
	if err != nil {
		c.fail("seal", id.at(l.off), "unreadable: %v", err)
	}
}

// checkSeals holds what was sealed and archived against the bytes.
func (c *checker) checkSeals() {
	sealed := map[segmentID]string{}
	for _, s := range c.seals {
		c.sum.Seals++
		id := segmentID{s.Lane, s.Segment}
		if other := sealed[id]; other != "" {
			c.fail("I2", s.where, "%s segment %d was sealed at %s already", s.Lane, s.Segment, other)
		}
		sealed[id] = s.where
		c.checkSeal(id, s)
	}
	for _, a := range c.archives {
		id := segmentID{a.Lane, a.Segment}
		if sealed[id] == "" {
			c.fail("I5", a.where, "%s segment %d was archived and never sealed", a.Lane, a.Segment)
		}
		c.checkArchive(id, a)
	}
}

func (c *checker) checkSeal(id segmentID, s seal) {
	f, ok := c.segmentFacts[id]
	if !ok {
		if _, gone := c.journal.gone[id]; !gone && s.Bytes > 0 {
			c.fail("seal", s.where, "%s segment %d stands nowhere", s.Lane, s.Segment)
		}
		return
	}
	if s.Bytes != f.bytes || s.SHA256 != f.sha256 || s.Lines != f.lines && s.Lines != f.lines+min(f.tail, 1) {
		c.fail("seal", s.where, "sealed with %d bytes %d lines %s, %s has %d, %d, %s", s.Bytes, s.Lines, s.SHA256, f.path, f.bytes, f.lines, f.sha256)
	}
	if f.tail == 0 && s.MerkleRoot != f.root {
		c.fail("seal", s.where, "merkle_root %s, %s has %s", s.MerkleRoot, f.path, f.root)
	}
}

func (c *checker) checkArchive(id segmentID, a archived) {
	path := filepath.Join(c.dir, "archive", a.Lane, fmt.Sprintf("%08d.jsonl.zst", a.Segment))
	n, sum, err := dataFrames(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := c.journal.gone[id]; !gone {
			c.fail("seal", a.where, "%v", err)
		}
		return
	}
	if err != nil || n != a.ArchiveBytes || sum != a.ArchiveSHA256 {
		c.fail("seal", a.where, "archived as %d bytes %s, %s has %d bytes %s (%v)", a.ArchiveBytes, a.ArchiveSHA256, c.rel(path), n, sum, err)
	}
	if facts, ok := c.segmentFacts[id]; ok && facts.bytes != a.RawBytes {
		c.fail("seal", a.where, "raw_bytes %d, %s has %d", a.RawBytes, facts.path, facts.bytes)
	}
}

// dataFrames reads an archive's size, and the SHA-256 of its frames that hold
// data: the index stands in skippable frames, and no recorded hash covers it.
// RFC 8878, sections 3.1.1 and 3.1.2.
func dataFrames(path string) (int64, string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	for rest := b; len(rest) > 0; {
		n, data := frame(rest)
		if n <= 0 || n > len(rest) {
			return int64(len(b)), "", fmt.Errorf("%s: no zstd frame at byte %d", path, len(b)-len(rest))
		}
		if data {
			h.Write(rest[:n])
		}
		rest = rest[n:]
	}
	return int64(len(b)), hex.EncodeToString(h.Sum(nil)), nil
}

// frame is the length of the first frame, and whether it holds data.
func frame(b []byte) (n int, data bool) {
	if len(b) < 8 {
		return 0, false
	}
	le := binary.LittleEndian
	if le.Uint32(b)&^15 == 0x184d2a50 {
		return 8 + int(le.Uint32(b[4:])), false
	}
	if le.Uint32(b) != 0xfd2fb528 {
		return 0, false
	}
	descriptor := b[4]
	single := descriptor>>5&1 == 1
	at := 5 + []int{0, 1, 2, 4}[descriptor&3] + []int{0, 2, 4, 8}[descriptor>>6]
	if !single {
		at++ // the window
	} else if descriptor>>6 == 0 {
		at++ // a content size of one byte
	}
	for last := false; !last; {
		if at+3 > len(b) {
			return 0, false
		}
		header := int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16
		last = header&1 == 1
		at += 3
		if header>>1&3 == 1 {
			at++ // one byte, repeated
		} else {
			at += header >> 3
		}
	}
	if descriptor>>2&1 == 1 {
		at += 4
	}
	return at, true
}
