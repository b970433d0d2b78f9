// Package settings holds a board's settings: what each is called, what it may
// be, what it is when nobody says, and where its value came from.
//
// A flag beats the environment, that beats stigmergy.yaml, that beats the
// default. In YAML a dot nests, and may also be written out:
//
//	segment: {max_bytes: 256KiB}
//	truth.timeout: 10s
//
//	STIGMERGY_SEGMENT_MAX_BYTES=1MiB stigmergy up --set durability=disk
//
// The table in table.go is the only list of settings: the parser, the names of
// the environment variables, the text that `stigmergy init` writes and
// `stigmergy status -o json` are all made from it.
package settings

import (
	"path/filepath"
	"strings"
	"time"

	"stigmergy/contracts"
)

// FileName is the settings file's name in the board.
const FileName = "stigmergy.yaml"

// Settings is every setting of one board, valid and complete.
// It is not changed after Load; share it freely.
type Settings struct {
	Durability     string        // process or disk
	SyncInterval   time.Duration // at most this much work is lost when power fails (durability process)
	MaxLine        int64         // bytes; a longer line is streamed past
	UnknownTopics  string        // accept or quarantine
	HandlerTimeout time.Duration // handler.deadline

	SegmentMaxBytes int64
	SegmentMinBytes int64 // never above SegmentMaxBytes
	SegmentMaxAge   time.Duration
	SealQuiet       time.Duration
	SealKeep        time.Duration

	ArchiveFrameBytes int64
	ArchiveLevel      string        // fastest, default, better or best
	IndexIDs          bool          // index.ids
	Retention         time.Duration // 0: for ever

	ExecutorEnabled bool
	ExecutorJobs    int
	Lease           time.Duration

	HXOBatchSize int
	HXOMaxRate   int // events a second
	HXOQueueMax  int

	AutotuneSampleRate float64
	AutotuneHotspot    time.Duration
	AutotuneWindow     Window
	AutotuneQueueDepth int // per slot

	Autonomy     string // builtin or off
	StageSLO     time.Duration
	Truth        string // builtin or outside
	TruthTimeout time.Duration
	TruthOutputs string // all or sample

	PolicyForeignOwned  string // refuse or record
	GitopsHooks         string // off or run
	GitopsOnGateFailure string // continue or stop

	HTTP string // host:port, or off

	rootText   string // as written: relative to the board
	originText string // as written: BOARD_ID stands for the board's identity

	// Roles is the policy's table; empty: every lane has every role.
	Roles contracts.Roles
	// Raw holds the sections that their own packages read (followup,
	// federation, mirror) as JSON with sorted keys.
	Raw map[string][]byte

	origins map[string]string
}

// Window bounds what autotune looks at: the last Results results or those of
// the last Age, whichever is fewer, once there are at least Least.
type Window struct {
	Results int
	Age     time.Duration
	Least   int
}

// Beat is how often an executor tells that it still works on a shard.
func (s *Settings) Beat() time.Duration { return s.Lease / 4 }

// Root is the folder in which paths of plans, packets and receipts resolve.
func (s *Settings) Root(board string) string {
	if filepath.IsAbs(s.rootText) {
		return filepath.Clean(s.rootText)
	}
	return filepath.Join(board, s.rootText)
}

// Origin is the first line of this board's checkpoints.
func (s *Settings) Origin(boardID string) string {
	return strings.ReplaceAll(s.originText, "BOARD_ID", boardID)
}

// Default returns the settings of a board that says nothing.
func Default() *Settings {
	s, _ := Load(nil, nil, nil)
	return s
}

// Each calls fn for every setting in the table's order: its name, its value as
// text that the parser takes back, and where it came from: "default",
// "stigmergy.yaml:LINE", an environment variable's name, or "flag".
func (s *Settings) Each(fn func(name, value, origin string)) {
	for _, r := range table() {
		fn(r.name, r.get(s), s.origin(r.name))
	}
	for _, name := range sections() {
		if raw := s.section(name); raw != nil {
			fn(name, string(raw), s.origin(name))
		}
	}
}

// Get returns one setting's value as text and where it came from.
func (s *Settings) Get(name string) (value, origin string, ok bool) {
	s.Each(func(n, v, o string) {
		if n == name {
			value, origin, ok = v, o, true
		}
	})
	return value, origin, ok
}

func (s *Settings) origin(name string) string {
	if o := s.origins[name]; o != "" {
		return o
	}
	return "default"
}
