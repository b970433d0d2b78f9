package plan

// Manifest is a plan with everything about the world resolved: what the fold
// derives all of its events from. It stands in the CAS as one JSON object;
// plan.resolved names it by SHA-256. Its shards stand in chunks of their own,
// so that nobody reads all of them to know one.
type Manifest struct {
	V          int     `json:"v"` // 1
	PlanID     string  `json:"plan_id"`
	PlanName   string  `json:"plan_name"`
	PlanSHA256 string  `json:"plan_sha256"` // of the plan's canonical JSON (RFC 8785)
	Root       string  `json:"root"`        // absolute: where input names resolve
	Board      string  `json:"board"`       // absolute: the board, whose store holds outputs
	Stages     []Stage `json:"stages"`      // in the plan's order
	Shards     int     `json:"shards"`      // of all stages
}

// Stage is one stage of a manifest.
type Stage struct {
	StageID     string   `json:"stage_id"`
	Kind        string   `json:"kind"`
	Spec        RawJSON  `json:"spec"`            // canonical: part of every description
	Needs       []string `json:"needs,omitempty"` // stage_ids; those of partition outputs included
	TimeoutMS   int64    `json:"timeout_ms"`
	Retries     int      `json:"retries"`
	Concurrency int      `json:"concurrency"`
	Job         Job      `json:"job"`
	Shards      int      `json:"shards"`
	Chunks      []Chunk  `json:"chunks"`
}

// Job is how a shard of a stage is run: the kind's command with the stage's
// spec in it. Placeholders of a shard ({input}, {inputs}, {plan_id},
// {stage_id}, {cas_id}, {index}, {item}) are still in argv.
type Job struct {
	Argv  []string          `json:"argv"`            // empty: only executors that know the kind run it
	Stdin bool              `json:"stdin,omitempty"` // the inputs are standard input
	Env   map[string]string `json:"env,omitempty"`   // declared; all else is scrubbed
}

// Chunk names an object of the CAS with at most ChunkShards shards, one JSON
// object (Shard) a line. The shards of a stage are in the order of their
// cas_ids, over all its chunks: the order of the Merkle tree's leaves.
type Chunk struct {
	SHA256 string `json:"sha256"`
	First  string `json:"first"` // cas_id of its first shard
	Shards int    `json:"shards"`
}

// ChunkShards is how many shards a chunk holds at the most.
const ChunkShards = 1000

// ChunkBytes is after how many bytes a chunk ends though it has fewer shards:
// whoever wants to know one shard reads its chunk.
const ChunkBytes = 1 << 20

// partsPerShard is how many parts one shard may have.
const partsPerShard = 1_000_000

// PartIndex is the index of the n-th part of a shard: parts of one parent, in
// the order of their indexes, are the parent. ok is false where shards were
// split so often that no number is left.
func PartIndex(parent, n int) (index int, ok bool) {
	if parent < 0 || parent >= (1<<62)/partsPerShard-1 || n < 0 || n >= partsPerShard {
		return 0, false
	}
	return (parent+1)*partsPerShard + n, true
}

// Shard is one line of a chunk.
type Shard struct {
	CASID  string  `json:"cas_id"` // the first 16 digits of SHA256
	SHA256 string  `json:"sha256"` // of the description (Description)
	Index  int     `json:"index"`  // within the stage, in the partition's order; of a part: PartIndex
	Inputs []Input `json:"inputs,omitempty"`
	Parent string  `json:"parent_cas_id,omitempty"` // the shard that this one is a part of
}

// Input is one input of a shard: a file or a part of one, an item, or the
// output of another shard. Keys that are not used are absent.
type Input struct {
	Name   string `json:"name,omitempty"`   // path below root, slashes
	SHA256 string `json:"sha256,omitempty"` // of the file's bytes; of a part, of the part's bytes alone
	From   *int64 `json:"from,omitempty"`   // bytes: from From up to but not including To; absent: the whole file
	To     *int64 `json:"to,omitempty"`
	Item   *Item  `json:"item,omitempty"`
	Shard  string `json:"shard,omitempty"` // full SHA-256 of the other shard's description
}

// Item is any JSON value of a partition by items, as it was written.
type Item = RawJSON
