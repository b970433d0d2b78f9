// Package certify is what a plan's certificate is made of: the leaves of the
// plan's Merkle tree, which of them are sampled, what a sample proof looks
// like, how two trees are told apart, and what the certificate is called. It
// opens no file.
//
// A plan's tree is RFC 6962 (package merkle) over one leaf a shard that stands,
// stages in the plan's order, within a stage by cas_id:
//
//	stigmergy.shard.v1
//	PLAN_ID
//	STAGE_ID
//	CAS_ID
//	INPUT_SHA256
//	OUTPUT_DIGEST
//
// Its root stands in hxo.aggregate.ready. The samples of a tree of n leaves are
// the first min(16, n) different numbers among
//
//	SHA-256("stigmergy.sample.v1\n" ‖ root ‖ uint32be(i)) mod n, i = 0, 1, 2, …
//
// of each hash the first eight bytes, big-endian, so that whoever proves
// cannot choose what is looked at.
package certify

import (
	"fmt"

	"stigmergy/contracts/merkle"
)

// CertificateID names a certificate: cert_, the first 8 characters of the
// plan's id, _ and the first 12 of the root.
func CertificateID(planID string, root merkle.Hash) string {
	return "cert_" + planID[:min(8, len(planID))] + "_" + root.String()[:12]
}

// Origin is whose checkpoint a plan's certificate is: the board's origin,
// which is the name of its key (stigmergy/BOARD_ID), /plan/ and the plan's id.
func Origin(board, planID string) string { return board + "/plan/" + planID }

// Attempts is how often a plan is certified before a person has to look.
const Attempts = 3

// Shard names a leaf, for verdicts and for people.
type Shard struct {
	StageID string `json:"stage_id"`
	CASID   string `json:"cas_id"`
}

// String is STAGE_ID/CAS_ID.
func (s Shard) String() string { return s.StageID + "/" + s.CASID }

// Bad is a leaf that does not hold, as it stands in a verdict.
type Bad struct {
	Shard
	Index    int    `json:"index"`
	Expected string `json:"expected"`        // the output_digest that was reported
	Found    string `json:"found,omitempty"` // the SHA-256 of what stands in the CAS; none: nothing stands there
	// Refused says that an outside Truth does not take it, whatever stands there.
	Refused bool `json:"refused,omitempty"`
}

// String says what is wrong with it.
func (b Bad) String() string {
	if b.Refused {
		return fmt.Sprintf("leaf %d, shard %s: Truth does not take its output %s", b.Index, b.Shard, b.Expected)
	}
	found := "nothing in the store"
	if b.Found != "" {
		found = "an output with the SHA-256 " + b.Found
	}
	return fmt.Sprintf("leaf %d, shard %s: expected the output %s, found %s", b.Index, b.Shard, b.Expected, found)
}
