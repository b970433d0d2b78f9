package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// LineKind is the kind of an extra that proves a line.
const LineKind = "stigmergy.line.v1"

// LineProof is the extra of a proof of one line of a lane, as JSON. The proof
// itself is of the journal's leaf: entry, the bytes of a journal line. That
// entry names a lane, a segment, a range, a number of lines and their root; the
// path leads from the line, the index-th of them, to that root:
//
//	{"kind":"stigmergy.line.v1","position":"ci@1:151","entry":"{\"seq\":17,…}","line":"…",
//	 "leaf":"hex","index":3,"lines":8,"path":["hex",…],"sum":"hex"}
//
// So a line is proved in two steps, and both are RFC 6962 inclusion proofs.
// position is where the line begins; what the entry itself says of it is its
// lane, its segment, and, of the first and the last line, the byte; of any other
// where the lines around it leave room for it. sum, the first eight bytes of
// SHA-256(position, newline, leaf), finds an offset within that room that was
// changed by accident; against who means it, it proves nothing. A line that is not
// UTF-8 stands in line_base64; one longer than a mebibyte is left out, and leaf
// is compared with what the caller has.
type LineProof struct {
	Kind       string   `json:"kind"`
	Position   string   `json:"position"`
	Entry      string   `json:"entry"`
	Line       *string  `json:"line,omitempty"`
	LineBase64 string   `json:"line_base64,omitempty"`
	Leaf       string   `json:"leaf"`
	Index      uint64   `json:"index"`
	Lines      uint64   `json:"lines"`
	Path       []string `json:"path"`
	Sum        string   `json:"sum"`
}

// maxLine is how long a line may be that is put into its proof.
const maxLine = 1 << 20

// NewLineProof makes the extra; path is the line's in its batch.
func NewLineProof(at contracts.Position, entry, line []byte, index, lines uint64, path []merkle.Hash) *LineProof {
	p := &LineProof{Kind: LineKind, Position: at.String(), Entry: string(entry), Leaf: merkle.LeafHash(line).String(),
		Index: index, Lines: lines, Path: make([]string, len(path))}
	for i, h := range path {
		p.Path[i] = h.String()
	}
	p.Sum = p.sum()
	switch {
	case len(line) > maxLine:
	case utf8.Valid(line):
		s := string(line)
		p.Line = &s
	default:
		p.LineBase64 = base64.StdEncoding.EncodeToString(line)
	}
	return p
}

func (p *LineProof) sum() string {
	h := sha256.Sum256([]byte(p.Position + "\n" + p.Leaf))
	return hex.EncodeToString(h[:8])
}

// JSON is the extra's bytes.
func (p *LineProof) JSON() []byte {
	b, err := json.Marshal(p)
	if err != nil { // strings and numbers always marshal
		return nil
	}
	return b
}

// ParseLineProof reads the extra of a proof of a line, as JSON writes it, and
// nothing else: a decoder of JSON is content with less.
func ParseLineProof(extra []byte) (*LineProof, error) {
	var p LineProof
	if err := json.Unmarshal(extra, &p); err != nil {
		return nil, fmt.Errorf("reading what a proof carries: %w", err)
	}
	if p.Kind != LineKind {
		return nil, fmt.Errorf("reading what a proof carries: expected %s, found %q", LineKind, clip(p.Kind))
	}
	if !bytes.Equal(p.JSON(), extra) {
		return nil, errors.New("reading what a proof carries: it is not written as prove writes it")
	}
	return &p, nil
}

// batch is what the proof needs of a journal entry.
type batch struct {
	Seq     *uint64 `json:"seq"`
	Lane    string  `json:"lane"`
	Segment uint64  `json:"segment"`
	From    int64   `json:"from"`
	To      int64   `json:"to"`
	Lines   uint64  `json:"lines"`
	Root    string  `json:"root"`
}

// Bytes is the line, where the proof carries it.
func (p *LineProof) Bytes() ([]byte, bool) {
	if p.Line != nil {
		return []byte(*p.Line), true
	}
	b, err := base64.StdEncoding.DecodeString(p.LineBase64)
	return b, err == nil && p.LineBase64 != ""
}

// ErrNoLine says that a proof can only be checked with its line at hand.
var ErrNoLine = errors.New("it is too long to stand in its proof")

// Check checks the line against its journal entry; index is the proof's, which
// is the entry's seq. line may be nil where the proof carries the line.
func (p *LineProof) Check(index uint64, line []byte) error {
	if own, has := p.Bytes(); line == nil && has {
		line = own
	}
	if line == nil {
		return fmt.Errorf("checking a line: %w", ErrNoLine)
	}
	leaf, err := merkle.ParseHash(p.Leaf)
	if err != nil || merkle.LeafHash(line) != leaf {
		return fmt.Errorf("checking a line: its leaf hash is %s, the proof is of %s", merkle.LeafHash(line), clip(p.Leaf))
	}
	if p.Sum != p.sum() {
		return fmt.Errorf("checking a line: the position %s is not the one that was proved: its sum is %s, the proof says %s", clip(p.Position), p.sum(), clip(p.Sum))
	}
	return p.checkEntry(index, leaf, int64(len(line)))
}

// room says whether a line of that length, the index-th, may begin there: every
// line before and behind it has at least its newline.
func (p *LineProof) room(at, length int64, e *batch) bool {
	if p.Index >= e.Lines || e.Lines > uint64(e.To) {
		return false
	}
	before, behind := int64(p.Index), int64(e.Lines-1-p.Index)
	first, last := e.From+before, e.To-behind-length-1
	return at >= first && at <= last && (before > 0 || at == first) && (behind > 0 || at == last)
}

func (p *LineProof) checkEntry(index uint64, leaf merkle.Hash, length int64) error {
	var e batch
	if err := json.Unmarshal([]byte(p.Entry), &e); err != nil {
		return fmt.Errorf("checking a line: its journal entry: %w", err)
	}
	if e.Seq == nil || *e.Seq != index {
		return fmt.Errorf("checking a line: the journal entry is not the one at index %d", index)
	}
	at, err := contracts.ParsePosition(p.Position)
	if err != nil {
		return fmt.Errorf("checking a line: %w", err)
	}
	if at.Lane != e.Lane || at.Segment != e.Segment || !p.room(at.Offset, length, &e) {
		return fmt.Errorf("checking a line: the position %s is not that of a line in the entry's range %s@%d:%d-%d", clip(p.Position), clip(e.Lane), e.Segment, e.From, e.To)
	}
	root, err := merkle.ParseHash(e.Root)
	if err != nil {
		return fmt.Errorf("checking a line: the entry's root: %w", err)
	}
	path := make([]merkle.Hash, len(p.Path))
	for i, s := range p.Path {
		if path[i], err = merkle.ParseHash(s); err != nil {
			return fmt.Errorf("checking a line: its path: %w", err)
		}
	}
	if p.Lines != e.Lines {
		return fmt.Errorf("checking a line: the entry has %d lines, the proof says %d", e.Lines, p.Lines)
	}
	if err := merkle.CheckInclusion(p.Index, e.Lines, leaf, path, root); err != nil {
		return fmt.Errorf("checking line %d of the %d of entry %d: %w", p.Index, e.Lines, index, err)
	}
	return nil
}

// EntryLeaf is the hash of the proof's leaf: the journal entry's.
func (p *LineProof) EntryLeaf() merkle.Hash { return merkle.LeafHash([]byte(p.Entry)) }
