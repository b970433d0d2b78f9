package settings

import (
	"runtime"
	"strconv"
	"time"
)

// row is one setting: its name, default, kind, place in Settings, and what is
// said about it.
type row struct {
	name, def, doc string
	expect         string // what a value looks like, for errors
	fold           bool   // the fold's answers depend on it: it is journaled
	set            func(s *Settings, text string) error
	get            func(s *Settings) string
}

// of ties a name to its field through a kind.
func of[T any](name, def string, k kind[T], at func(*Settings) *T, doc string) row {
	return row{
		name: name, def: def, doc: doc, expect: k.expect,
		set: func(s *Settings, text string) error {
			v, err := k.parse(text)
			if err == nil {
				*at(s) = v
			}
			return err
		},
		get: func(s *Settings) string { return k.format(*at(s)) },
	}
}

// folds marks a row as one that the fold depends on.
func folds(r row) row {
	r.fold = true
	return r
}

// table is every scalar setting, in the order in which they are shown.
func table() []row {
	rows := append(kernelRows(), storageRows()...)
	rows = append(rows, hxoRows()...)
	return append(rows, boardRows()...)
}

func kernelRows() []row {
	return []row{
		of("durability", "process", oneOf("process", "disk"), func(s *Settings) *string { return &s.Durability },
			"process: a killed process loses nothing, lost power at most sync_interval. disk: lanes and journal are synced before anything derived from them"),
		of("sync_interval", "100ms", duration(time.Millisecond, time.Hour), func(s *Settings) *time.Duration { return &s.SyncInterval },
			"how often the board is synced with durability process"),
		folds(of("max_line", "1MiB", size(1<<10, 64<<20), func(s *Settings) *int64 { return &s.MaxLine },
			"longer lines are streamed past and quarantined")),
		folds(of("unknown_topics", "accept", oneOf("accept", "quarantine"), func(s *Settings) *string { return &s.UnknownTopics },
			"events whose topic has no contract")),
		of("handler.deadline", "10s", duration(10*time.Millisecond, 24*time.Hour), func(s *Settings) *time.Duration { return &s.HandlerTimeout },
			"a handler that takes longer over one event is skipped for it, and the daemon starts anew"),
	}
}

func storageRows() []row {
	return []row{
		of("segment.max_bytes", "64MiB", size(4<<10, 1<<40), func(s *Settings) *int64 { return &s.SegmentMaxBytes },
			"a lane of this size is rotated"),
		of("segment.min_bytes", "1MiB", size(0, 1<<40), func(s *Settings) *int64 { return &s.SegmentMinBytes },
			"a lane smaller than this is not rotated for its age"),
		of("segment.max_age", "24h", duration(time.Second, century), func(s *Settings) *time.Duration { return &s.SegmentMaxAge },
			"an agent's lane this old is rotated"),
		of("seal.quiet", "60s", duration(0, century), func(s *Settings) *time.Duration { return &s.SealQuiet },
			"where nobody can tell who still writes: how long a rotated segment must be quiet before it is archived"),
		of("seal.keep", "24h", duration(0, century), func(s *Settings) *time.Duration { return &s.SealKeep },
			"how long such a segment is kept and looked at after that"),
		of("archive.frame_bytes", "1MiB", size(4<<10, 8<<20), func(s *Settings) *int64 { return &s.ArchiveFrameBytes },
			"uncompressed bytes of one zstd frame: smaller finds single events faster, larger packs better"),
		of("archive.level", "better", oneOf("fastest", "default", "better", "best"), func(s *Settings) *string { return &s.ArchiveLevel },
			"how hard archives are compressed"),
		of("index.ids", "false", boolean(), func(s *Settings) *bool { return &s.IndexIDs },
			"index every id; ids that hold their time (UUIDv7, ULID) are found without"),
		of("retention", "none", orNone(duration(time.Minute, 2*century)), func(s *Settings) *time.Duration { return &s.Retention },
			"how long archives are kept; none: for ever"),
	}
}

func hxoRows() []row {
	return []row{
		folds(of("executor.enabled", "true", boolean(), func(s *Settings) *bool { return &s.ExecutorEnabled },
			"run shards in the daemon itself")),
		folds(of("executor.jobs", "CPUs", cpus(), func(s *Settings) *int { return &s.ExecutorJobs },
			"shards at a time")),
		folds(of("lease", "60s", duration(time.Second, 24*time.Hour), func(s *Settings) *time.Duration { return &s.Lease },
			"a claimed shard whose executor is silent this long goes to another one; executors beat four times as often")),
		folds(of("hxo.batch_size", "100", integer(1, 1000), func(s *Settings) *int { return &s.HXOBatchSize },
			"shard events written in one go (HXO_EVENT_BATCH_SIZE)")),
		folds(of("hxo.max_rate", "1000", integer(0, 10_000_000), func(s *Settings) *int { return &s.HXOMaxRate },
			"HXO events a second; 0: as many as there are (HXO_EVENT_MAX_RATE)")),
		folds(of("hxo.queue_max", "2000000", integer(1, 1<<31-1), func(s *Settings) *int { return &s.HXOQueueMax },
			"HXO events waiting for their turn, before plans are refused")),
		folds(of("autotune.sample_rate", "0.1", ratio(), func(s *Settings) *float64 { return &s.AutotuneSampleRate },
			"share of shards that are measured (HXO_AUTOTUNE_SAMPLE_RATE)")),
		folds(of("autotune.hotspot", "8s", duration(time.Millisecond, 24*time.Hour), func(s *Settings) *time.Duration { return &s.AutotuneHotspot },
			"a stage whose p95 is above this is hot")),
		folds(of("autotune.window", "256 results or 5m, at least 20", window(), func(s *Settings) *Window { return &s.AutotuneWindow },
			"the results that a p95 is made of")),
		folds(of("autotune.queue_depth", "16", integer(1, 1<<20), func(s *Settings) *int { return &s.AutotuneQueueDepth },
			"waiting shards per slot that count as a queue")),
	}
}

func boardRows() []row {
	return []row{
		folds(of("autonomy", "builtin", oneOf("builtin", "off"), func(s *Settings) *string { return &s.Autonomy },
			"who answers tuning signals")),
		folds(of("stage_slo", "120s", duration(time.Second, 30*24*time.Hour), func(s *Settings) *time.Duration { return &s.StageSLO },
			"how long a stage may take")),
		folds(of("truth", "builtin", oneOf("builtin", "outside"), func(s *Settings) *string { return &s.Truth },
			"who certifies aggregates")),
		folds(of("truth.timeout", "30s", duration(time.Second, 24*time.Hour), func(s *Settings) *time.Duration { return &s.TruthTimeout },
			"how long an outside Truth may take")),
		folds(of("truth.outputs", "all", oneOf("all", "sample"), func(s *Settings) *string { return &s.TruthOutputs },
			"which outputs the built-in Truth hashes again")),
		folds(of("policy.foreign_owned", "refuse", oneOf("refuse", "record"), func(s *Settings) *string { return &s.PolicyForeignOwned },
			"the daemon's own topics on agents' lanes. record: keep them as another bus's history, obeyed by nobody")),
		of("gitops.hooks", "off", oneOf("off", "run"), func(s *Settings) *string { return &s.GitopsHooks },
			"the repository's own git hooks"),
		folds(of("gitops.on_gate_failure", "continue", oneOf("continue", "stop"), func(s *Settings) *string { return &s.GitopsOnGateFailure },
			"what a run does after a batch whose gate failed")),
		of("root", "..", text("a folder, relative to the board"), func(s *Settings) *string { return &s.rootText },
			"where the paths of plans, packets and receipts resolve"),
		of("http", "127.0.0.1:7077", address(), func(s *Settings) *string { return &s.HTTP },
			"where the dashboard listens"),
		folds(of("origin", "stigmergy/BOARD_ID", text("a name without spaces"), func(s *Settings) *string { return &s.originText },
			"this board's name in checkpoints")),
	}
}

// sections are the settings that hold a whole document each.
func sections() []string { return []string{"federation", "followup", "mirror", "roles"} }

// seedNames are the environment variables of the HXO seed.
func seedNames() map[string]string {
	return map[string]string{
		"hxo.batch_size":       "HXO_EVENT_BATCH_SIZE",
		"hxo.max_rate":         "HXO_EVENT_MAX_RATE",
		"autotune.sample_rate": "HXO_AUTOTUNE_SAMPLE_RATE",
	}
}

const century = 100 * 365 * 24 * time.Hour

func cpus() kind[int] {
	k := integer(1, 4096)
	whole := k.parse
	k.expect += " or CPUs"
	k.parse = func(s string) (int, error) {
		if s == "CPUs" {
			return runtime.NumCPU(), nil
		}
		return whole(s)
	}
	k.format = strconv.Itoa
	return k
}
