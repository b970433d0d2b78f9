package plan

import (
	"crypto/sha256"
	"encoding/hex"
)

// CASIDLen is how many digits of a description's SHA-256 are a cas_id.
const CASIDLen = 16

// CASID is the name that a shard has by the SHA-256, in hex, of its
// description.
func CASID(sha256 string) string { return sha256[:min(len(sha256), CASIDLen)] }

// Sum names a description: its SHA-256 in hex.
func Sum(description []byte) string {
	sum := sha256.Sum256(description)
	return hex.EncodeToString(sum[:])
}

// AppendLeaf appends the text that a shard is in its plan's Merkle tree. It
// holds no executor, no attempt and no time: the same work has the same leaf.
// Digests are lower-case hex.
//
//	printf 'stigmergy.shard.v1\n%s\n%s\n%s\n%s\n%s\n' PLAN_ID STAGE_ID CAS_ID INPUT_SHA256 OUTPUT_DIGEST
func AppendLeaf(dst []byte, planID, stageID, casID, inputSHA256, outputDigest string) []byte {
	dst = append(dst, "stigmergy.shard.v1\n"...)
	for _, s := range [...]string{planID, stageID, casID, inputSHA256, outputDigest} {
		dst = append(append(dst, s...), '\n')
	}
	return dst
}
