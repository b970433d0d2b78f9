package certify

// The kinds of the effects by which a plan is certified. Each is answered by
// one line truth.verdict (Verdict) on workers/truth.
const (
	EffectCertify = "truth.certify" // payload Ask: is it so? The note, if it is
	EffectSign    = "truth.sign"    // payload Ask: an outside Truth says so; the note
	EffectBisect  = "truth.bisect"  // payload Ask: which leaves do not hold; they are evicted

	LaneTruth = "workers/truth"
)

// Ask is what Truth is asked about.
type Ask struct {
	PlanID  string  `json:"plan_id"`
	Attempt int     `json:"attempt"`
	Root    string  `json:"merkle_root"` // claimed
	Shards  int     `json:"total_shards"`
	Outputs string  `json:"outputs,omitempty"` // all or sample
	Note    string  `json:"note,omitempty"`    // the outside Truth's own
	Suspect []Shard `json:"suspect,omitempty"` // named by it
	Last    bool    `json:"last,omitempty"`    // nothing is to be replayed, so nothing is evicted
}

// MaxBad is how many bad leaves a verdict names; all of them stand in the
// object of the CAS that it names by bad_sha256, one a line.
const MaxBad = 1000

// Verdict is the data of truth.verdict.
type Verdict struct {
	PlanID     string `json:"plan_id"`
	MerkleRoot string `json:"merkle_root"`
	Attempt    int    `json:"attempt"`
	Certified  bool   `json:"certified"`
	Reason     string `json:"reason,omitempty"`
	Bad        []Bad  `json:"bad,omitempty"`
	Note       string `json:"note,omitempty"`

	// Of a bisection.
	BadTotal    int    `json:"bad_total,omitempty"`
	BadSHA256   string `json:"bad_sha256,omitempty"`
	Comparisons *int   `json:"comparisons,omitempty"`
	From        int    `json:"from,omitempty"` // the suspect subtree's leaves
	To          int    `json:"to,omitempty"`
	Subtree     string `json:"subtree,omitempty"`    // its hash as claimed
	Recomputed  string `json:"recomputed,omitempty"` // and over what stands in the CAS
}
