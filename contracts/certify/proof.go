package certify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ShardProof is the extra of a stand-alone proof (package seal) of a shard, as
// JSON: the leaf's bytes. The proof's checkpoint is the plan's certificate.
//
//	{"kind":"stigmergy.shard.v1","leaf":"stigmergy.shard.v1\n…"}
type ShardProof struct {
	Kind string `json:"kind"`
	Leaf string `json:"leaf"`
}

// NewShardProof makes the extra.
func NewShardProof(l Leaf) *ShardProof { return &ShardProof{LeafKind, l.Text()} }

// JSON is the extra's bytes.
func (p *ShardProof) JSON() []byte {
	b, err := json.Marshal(p)
	if err != nil { // two strings always marshal
		return nil
	}
	return b
}

// IsShardProof tells whether a proof's extra says that it is of a shard.
func IsShardProof(extra []byte) bool {
	var p ShardProof
	return json.Unmarshal(extra, &p) == nil && p.Kind == LeafKind
}

// ParseShardProof reads the extra of a proof of a shard, as JSON writes it.
func ParseShardProof(extra []byte) (*ShardProof, error) {
	var p ShardProof
	if err := json.Unmarshal(extra, &p); err != nil {
		return nil, fmt.Errorf("reading what a proof carries: %w", err)
	}
	if p.Kind != LeafKind {
		return nil, fmt.Errorf("reading what a proof carries: expected %s, found %q", LeafKind, clip(p.Kind))
	}
	if !bytes.Equal(p.JSON(), extra) {
		return nil, errors.New("reading what a proof carries: it is not written as prove writes it")
	}
	return &p, nil
}

// Of gives the leaf, if the checkpoint that it is proved under may be its
// plan's: the origin says whose tree it is.
func (p *ShardProof) Of(origin string) (Leaf, error) {
	l, err := ParseLeaf(p.Leaf)
	if err != nil {
		return l, err
	}
	if board, id, ok := strings.Cut(origin, "/plan/"); !ok || board == "" || id != l.PlanID {
		return l, fmt.Errorf("checking a shard: its leaf is of plan %s, and the checkpoint's origin is %q", clip(l.PlanID), clip(origin))
	}
	return l, nil
}
