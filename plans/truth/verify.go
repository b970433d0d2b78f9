package truth

import (
	"context"
	"errors"
	"fmt"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

// Checked is what verifying a plan comes to.
type Checked struct {
	Verdict     blackboard.Verdict `json:"verdict"`
	PlanID      string             `json:"plan_id"`
	PlanName    string             `json:"plan_name"`
	Attempts    int                `json:"attempts"`
	Certified   bool               `json:"truth_certified"`
	Certificate string             `json:"certificate_id,omitempty"`
	Root        string             `json:"merkle_root,omitempty"`
	TreeSize    int                `json:"tree_size"`
	Outputs     int                `json:"outputs"` // hashed again
	OutputBytes int64              `json:"output_bytes"`
	Signers     []string           `json:"signers,omitempty"`
	// The line with the certificate, the journal entry that it came in with, and
	// the board's checkpoint that this is under: whoever has the board's history
	// fills the last two in.
	Finalized string               `json:"finalized,omitempty"`
	Entry     *uint64              `json:"entry,omitempty"`
	Size      uint64               `json:"size,omitempty"`
	Findings  []blackboard.Finding `json:"findings,omitempty"`
}

// maxBad is how many bad outputs are told one by one.
const maxBad = 100

// Check holds all that was claimed about a plan to what its lines and the store
// say: every attempt's root and samples, the certificate, the board's signature
// under it, and the outputs. A plan without a certificate is unsigned.
func (p *Plan) Check(ctx context.Context, cas durable.CAS, keys []*seal.Verifier) (*Checked, error) {
	c := &Checked{Verdict: blackboard.VerdictOK, PlanID: p.ID, PlanName: p.Name, Attempts: len(p.Attempts)}
	lost := p.lost()
	for _, a := range p.Attempts {
		c.claim(a, lost)
	}
	a := p.Last()
	switch {
	case a == nil:
		c.Find(blackboard.VerdictUnsigned, contracts.Position{}, "it has no certificate: not all of its shards are done")
		return c, nil
	case a.Certificate == nil && a.Reason != "":
		c.Find(blackboard.VerdictUnsigned, a.End, fmt.Sprintf("it has no certificate: attempt %d failed: %s", a.Number, a.Reason))
	case a.Certificate == nil:
		c.Find(blackboard.VerdictUnsigned, a.Certify, "it has no certificate yet")
	default:
		c.Finalized = a.End.String()
		c.certificate(p.ID, a, keys)
	}
	c.Root = a.Claimed.String()
	if a.Tree == nil {
		return c, nil
	}
	c.TreeSize = a.Tree.Size
	if a.Certificate == nil {
		return c, nil
	}
	return c, c.outputs(ctx, a.Tree, cas)
}

// Find adds what speaks for or against the plan, and makes the worst the verdict.
func (c *Checked) Find(verdict blackboard.Verdict, at contracts.Position, detail string) {
	f := blackboard.Finding{Verdict: verdict, Detail: detail}
	if at.Lane != "" {
		f.Lane, f.Segment, f.Offset = at.Lane, at.Segment, &at.Offset
	}
	c.Findings = append(c.Findings, f)
	if verdict.Worse(c.Verdict) {
		c.Verdict = verdict
	}
}

// lost is what became of lines that the plan may have had: where some were
// destroyed or pruned, a tree that does not come out is no proof of tampering.
func (p *Plan) lost() blackboard.Verdict {
	out := blackboard.VerdictTampered
	for _, h := range p.Result.Holes {
		if h.Lane != hxoLane && h.Lane != planLane {
			continue
		}
		switch h.Kind {
		case "destroyed", "lost":
			return blackboard.VerdictDestroyed
		case "pruned":
			out = blackboard.VerdictPruned
		}
	}
	return out
}

// claim checks an attempt's root, and the samples that it drew.
func (c *Checked) claim(a *Attempt, verdict blackboard.Verdict) {
	tampered := func(at contracts.Position, format string, args ...any) {
		c.Find(verdict, at, fmt.Sprintf(format, args...))
	}
	switch {
	case a.Err != nil:
		tampered(a.Ready, "the tree of attempt %d cannot be computed: %v", a.Number, a.Err)
	case a.Tree.Root != a.Claimed:
		tampered(a.Ready, "attempt %d claims the root %s, over the shards that stand it is %s", a.Number, a.Claimed, a.Tree.Root)
	case a.Tree.Size != a.Shards:
		tampered(a.Ready, "attempt %d claims %d shards, %d stand", a.Number, a.Shards, a.Tree.Size)
	}
	if a.Certify.Lane == "" && a.End.Lane != "" {
		tampered(a.End, "attempt %d ended without hxo.aggregate.certify", a.Number)
	}
	if a.SampleErr != nil {
		tampered(a.Certify, "attempt %d: %v", a.Number, a.SampleErr)
	}
}

// certificate checks what finalized carries, and who signed it.
func (c *Checked) certificate(planID string, a *Attempt, keys []*seal.Verifier) {
	cert := a.Certificate
	c.Certificate, c.Certified = cert.ID, cert.Certified
	tampered := func(format string, args ...any) {
		c.Find(blackboard.VerdictTampered, a.End, "its certificate: "+fmt.Sprintf(format, args...))
	}
	switch {
	case !cert.Certified:
		tampered("certified is not true")
	case cert.MerkleRoot != a.Claimed.String():
		tampered("merkle_root is %s, claimed was %s", cert.MerkleRoot, a.Claimed)
	case cert.ID != certify.CertificateID(planID, a.Claimed):
		tampered("certificate_id is %s, expected %s", cert.ID, certify.CertificateID(planID, a.Claimed))
	case cert.TreeSize != a.Shards:
		tampered("tree_size is %d, claimed were %d shards", cert.TreeSize, a.Shards)
	case cert.Checkpoint == "":
		c.Find(blackboard.VerdictUnsigned, a.End, "its certificate carries no signed checkpoint")
		return
	}
	signers, err := CheckNote(cert.Checkpoint, planID, uint64(a.Shards), a.Claimed, keys)
	if err != nil {
		tampered("%v", err)
	}
	c.Signers = signers
}

// CheckNote checks a plan's signed checkpoint: its text, and that one of the
// keys has signed it.
func CheckNote(note, planID string, size uint64, root merkle.Hash, keys []*seal.Verifier) (signers []string, err error) {
	cp, opened, err := seal.OpenCheckpoint([]byte(note), keys...)
	if err != nil {
		return nil, err
	}
	for _, k := range opened.Signed {
		signers = append(signers, k.String())
	}
	for _, k := range opened.Signed {
		if cp == (seal.Checkpoint{Origin: certify.Origin(k.Name(), planID), Size: size, Root: root}) {
			return signers, nil
		}
	}
	return signers, fmt.Errorf("what is signed is the root %s over %d leaves of %q", cp.Root, cp.Size, cp.Origin)
}

// outputs hashes all of them again.
func (c *Checked) outputs(ctx context.Context, t *Tree, cas durable.CAS) error {
	if t.leaves == nil && t.Size > 0 {
		return nil
	}
	seen, err := t.Outputs(ctx, cas, nil)
	if err != nil {
		return err
	}
	c.Outputs, c.OutputBytes = seen.Leaves, seen.Bytes
	for i, b := range seen.Bad {
		if i == maxBad {
			c.Find(blackboard.VerdictTampered, contracts.Position{}, fmt.Sprintf("and %d more", len(seen.Bad)-i))
			break
		}
		c.Find(blackboard.VerdictTampered, contracts.Position{}, b.String())
		c.Findings[len(c.Findings)-1].Path = ".stigmergy/cas/" + b.Expected[:2] + "/" + b.Expected[2:]
	}
	return nil
}

// ErrNotCertified says that there is no certificate to prove anything under.
var ErrNotCertified = errors.New("the plan has no certificate")

// ErrNoShard says that no shard of that name stands in the plan.
var ErrNoShard = errors.New("no shard of that cas_id stands in the plan")

// Prove makes the stand-alone proof of a shard under its plan's certificate.
func (p *Plan) Prove(stage, cas string) (*seal.Proof, *certify.ShardProof, error) {
	a := p.Last()
	switch {
	case a == nil || a.Certificate == nil || a.Certificate.Checkpoint == "":
		return nil, nil, ErrNotCertified
	case a.Err != nil:
		return nil, nil, a.Err
	case a.Tree.Root != a.Claimed:
		return nil, nil, fmt.Errorf("the root over the shards that stand is %s, claimed was %s", a.Tree.Root, a.Claimed)
	}
	i, n := a.Tree.Find(stage, cas)
	switch {
	case n == 0:
		return nil, nil, ErrNoShard
	case n > 1:
		return nil, nil, fmt.Errorf("%d stages have a shard %s: name it STAGE/%s", n, cas, cas)
	}
	levels := a.Tree.Levels()
	path, err := merkle.ProveInclusion(uint64(i), uint64(a.Tree.Size), levels.Node)
	if err != nil {
		return nil, nil, err
	}
	sp := certify.NewShardProof(a.Tree.Leaf(i))
	return &seal.Proof{Extra: sp.JSON(), Index: uint64(i), Path: path, Checkpoint: []byte(a.Certificate.Checkpoint)}, sp, nil
}
