package plan

import "time"

// What a stage has that says nothing, and what it may say.
const (
	DefaultTimeout     = 15 * time.Second
	MaxTimeout         = 30 * 24 * time.Hour
	DefaultRetries     = 2
	MaxRetries         = 1000
	DefaultConcurrency = 64
	MaxConcurrency     = 1 << 16

	DefaultLines = 1000    // per shard of a partition by lines
	DefaultBytes = 1 << 20 // and by bytes

	MaxShards = 1_000_000 // of a plan
	MaxInputs = 1_000_000 // of all its shards
	MaxStages = 1000      // of a plan
	MaxText   = 4 << 20   // bytes of a plan's document in JSON
	MaxYAML   = 1 << 20   // and in YAML

	maxName  = 256 // bytes of a plan_name
	maxID    = 128 // bytes of a stage_id
	maxPath  = 4096
	maxGlobs = 100
)
