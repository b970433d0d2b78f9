package plan

// The kinds of the effects that the plan handler starts. Those of plans are
// answered by one line plan.resolved (Resolved) on workers/plan, those of
// executors by one line federation.result on workers/exec, before which
// federation.heartbeat lines may come.
const (
	EffectResolve     = "plan.resolve"     // payload Resolve
	EffectCached      = "plan.cached"      // payload Cached
	EffectSplit       = "plan.split"       // payload Split
	EffectRepartition = "plan.repartition" // payload Repartition
	EffectRun         = "exec.run"         // payload ExecRun

	LanePlan = "workers/plan"
	LaneExec = "workers/exec"

	// ExecutorBuiltin is the daemon itself; ExecutorCache answers from the CAS.
	ExecutorBuiltin = "builtin"
	ExecutorCache   = "cache"
)

// Resolve asks for a submitted plan to be parsed, checked, expanded and hashed.
// The answer names the manifest, or has every fault of the plan.
type Resolve struct {
	PlanID string  `json:"plan_id"`
	Plan   RawJSON `json:"plan"`  // the document: an object, or its YAML or JSON as a string
	Kinds  []Kind  `json:"kinds"` // registered on this board, by name; built-in ones are not among them
}

// Cached asks which outputs still stand in the CAS. The answer's cached is an
// array of the indexes (into Digests) of those that do.
type Cached struct {
	PlanID  string   `json:"plan_id"`
	StageID string   `json:"stage_id"`
	Plan    string   `json:"plan_sha256"`     // for the answer
	Shape   string   `json:"manifest_sha256"` // for the answer
	Digests []string `json:"digests"`
}

// Split asks for shards to be cut into Factor parts each. The answer's parts
// has the chunk of all children, in the order of their cas_ids, each with its
// parent_cas_id; kept the parents that cannot be split, with the reason.
type Split struct {
	PlanID  string    `json:"plan_id"`
	StageID string    `json:"stage_id"`
	Plan    string    `json:"plan_sha256"`     // for the answer
	Shape   string    `json:"manifest_sha256"` // the manifest that the stage stands in
	Factor  int       `json:"factor"`          // 2..64
	Shards  []InChunk `json:"shards"`
}

// Repartition asks for shards of a stage to be partitioned anew: the inputs of
// those named, by another partition. The answer's parts has the new shards.
type Repartition struct {
	PlanID    string    `json:"plan_id"`
	StageID   string    `json:"stage_id"`
	Plan      string    `json:"plan_sha256"`
	Shape     string    `json:"manifest_sha256"`
	Partition RawJSON   `json:"partition"`
	Shards    []InChunk `json:"shards"`
}

// InChunk names shards of one chunk.
type InChunk struct {
	Chunk  string   `json:"chunk_sha256"`
	CASIDs []string `json:"cas_ids"`
}

// Resolved is the data of plan.resolved. plan_sha256 and manifest_sha256 are
// those of the plan in every answer without faults; which effect it answers
// stands in effectkey.
type Resolved struct {
	PlanID         string  `json:"plan_id"`
	PlanSHA256     string  `json:"plan_sha256,omitempty"`
	ManifestSHA256 string  `json:"manifest_sha256,omitempty"`
	Shards         int     `json:"shards"` // of the plan; of a split or a new partition: of the parts
	Faults         []Fault `json:"faults"` // never null
	Cached         []int   `json:"cached,omitempty"`
	Parts          []Chunk `json:"parts,omitempty"` // of a split or a new partition
	Kept           []Fault `json:"kept,omitempty"`  // of a split: shards that stay as they are; pointer is the cas_id
}

// ExecRun has one shard run by the built-in executor. What it is made of stands
// in the manifest (the stage's job) and the chunk (the shard's inputs).
type ExecRun struct {
	PlanID    string   `json:"plan_id"`
	StageID   string   `json:"stage_id"`
	CASID     string   `json:"cas_id"`
	Attempt   int      `json:"attempt"`
	Manifest  string   `json:"manifest_sha256"`
	Chunk     string   `json:"chunk_sha256"`
	TimeoutMS int64    `json:"timeout_ms"`
	Outputs   []Output `json:"outputs,omitempty"` // of the shards among its inputs, in their order
}

// Output says what stands for a shard among the inputs of another: its output;
// of one that was split its parts' outputs, in their order.
type Output struct {
	Shard   string   `json:"shard"` // full SHA-256 of its description
	Digests []string `json:"digests"`
}
