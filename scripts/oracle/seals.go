package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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
	f, err := os.Open(path)
	if err != nil {
		if _, gone := c.journal.gone[id]; !gone {
			c.fail("seal", a.where, "%v", err)
		}
		return
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if sum := hex.EncodeToString(h.Sum(nil)); err != nil || n != a.ArchiveBytes || sum != a.ArchiveSHA256 {
		c.fail("seal", a.where, "archived as %d bytes %s, %s has %d bytes %s (%v)", a.ArchiveBytes, a.ArchiveSHA256, c.rel(path), n, sum, err)
	}
	if facts, ok := c.segmentFacts[id]; ok && facts.bytes != a.RawBytes {
		c.fail("seal", a.where, "raw_bytes %d, %s has %d", a.RawBytes, facts.path, facts.bytes)
	}
}
