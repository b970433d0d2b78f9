package certify

import (
	"fmt"
	"strings"

	"stigmergy/contracts/merkle"
	"stigmergy/contracts/plan"
)

// LeafKind is the first line of a leaf's text.
const LeafKind = "stigmergy.shard.v1"

// Leaf is a leaf of a plan's tree: that this shard of the plan, whose
// description has the hash Input, gave these bytes. Who ran it, when and how
// often does not stand in it: the same work has the same root.
//
//	printf 'stigmergy.shard.v1\n%s\n%s\n%s\n%s\n%s\n' PLAN_ID STAGE_ID CAS_ID INPUT_SHA256 OUTPUT_DIGEST > leaf
//	(printf '\0'; cat leaf) | sha256sum       # its leaf hash
type Leaf struct {
	PlanID  string
	StageID string
	CASID   string
	Input   string // SHA-256 of the shard's description, lower-case hex
	Output  string // SHA-256 of what it gave, lower-case hex
}

// Text is the leaf's bytes: six lines.
func (l Leaf) Text() string { return string(l.append(nil)) }

func (l Leaf) append(dst []byte) []byte {
	return plan.AppendLeaf(dst, l.PlanID, l.StageID, l.CASID, l.Input, l.Output)
}

// Hash is the leaf's hash in the tree.
func (l Leaf) Hash() merkle.Hash {
	var buf [384]byte
	return merkle.LeafHash(l.append(buf[:0]))
}

// Shard names the leaf's shard.
func (l Leaf) Shard() Shard { return Shard{l.StageID, l.CASID} }

// ParseLeaf reads a leaf's bytes as Text writes them, and nothing else.
func ParseLeaf(text string) (Leaf, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 7 || lines[6] != "" || lines[0] != LeafKind {
		return Leaf{}, fmt.Errorf("reading a shard's leaf: expected %s and five lines, found %q", LeafKind, clip(text))
	}
	l := Leaf{PlanID: lines[1], StageID: lines[2], CASID: lines[3], Input: lines[4], Output: lines[5]}
	for _, s := range []string{l.Input, l.Output} {
		if _, err := merkle.ParseHash(s); err != nil {
			return Leaf{}, fmt.Errorf("reading a shard's leaf: %w", err)
		}
	}
	if l.PlanID == "" || l.StageID == "" || l.CASID != plan.CASID(l.Input) {
		return Leaf{}, fmt.Errorf("reading a shard's leaf: expected a plan, a stage, and a cas_id that begins its description's hash, found %q", clip(text))
	}
	return l, nil
}

// clip shortens what an error quotes.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
