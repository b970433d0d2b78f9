package exemplars

import (
	"encoding/json"
	"fmt"

	"stigmergy/contracts"
	"stigmergy/contracts/exemplar"
	"stigmergy/contracts/jcs"
)

// Packet is what a run leaves behind. Empty optional members are left out.
type Packet struct {
	TS                  string       `json:"ts"` // RFC 3339
	Scope               string       `json:"scope"`
	PreflightReceiptID  string       `json:"preflight_receipt_id"`
	PostflightReceiptID string       `json:"postflight_receipt_id"`
	Outcome             string       `json:"outcome"` // ok, partial or error
	PromptSHA256        string       `json:"prompt_sha256"`
	AnswerSHA256        string       `json:"answer_sha256"`
	UserPrompt          string       `json:"user_prompt,omitempty"`
	Answer              string       `json:"answer,omitempty"`
	Tags                []string     `json:"tags"`
	Keywords            []string     `json:"keywords"`
	Sources             []string     `json:"sources"` // paths below root
	Artifacts           Artifacts    `json:"artifacts"`
	RunID               string       `json:"run_id,omitempty"`
	SourceHashes        []SourceHash `json:"source_hashes,omitempty"`
	Commands            [][]string   `json:"commands,omitempty"` // argv each, as they were run
	ConfigSHA256        string       `json:"config_sha256,omitempty"`
	Gates               []Gate       `json:"gates,omitempty"`
	Batches             []Batch      `json:"batches,omitempty"`
	Summary             *Summary     `json:"summary,omitempty"`
	Provenance          *Provenance  `json:"provenance,omitempty"`
}

// Artifacts are what the run left on disk, as paths below root.
type Artifacts struct {
	ExemplarPath         string `json:"exemplar_path"`
	PacketPath           string `json:"packet_path,omitempty"`
	ReceiptPath          string `json:"receipt_path,omitempty"`
	LogPath              string `json:"log_path,omitempty"`
	TurnReceiptPath      string `json:"turn_receipt_path,omitempty"`
	OperatorPreflightMD  string `json:"operator_preflight_markdown_path,omitempty"`
	OperatorPostflightMD string `json:"operator_postflight_markdown_path,omitempty"`
}

// SourceHash is what a file was when the run read or wrote it.
type SourceHash struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Gate is one gate's word on one batch, or on the run.
type Gate struct {
	GateID     string `json:"gate_id"`
	Outcome    string `json:"outcome"` // passed, failed, skipped or error
	DurationMS int64  `json:"duration_ms"`
	BatchID    string `json:"batch_id,omitempty"`
}

// Batch is what became of one batch. The rollup churn sums what it inserted
// and deleted.
type Batch struct {
	BatchID    string `json:"batch_id"`
	Outcome    string `json:"outcome"` // skipped, planned, committed or error
	CommitSHA  string `json:"commit_sha,omitempty"`
	Insertions int64  `json:"insertions"`
	Deletions  int64  `json:"deletions"`
	Paths      int64  `json:"paths,omitempty"`
	Error      string `json:"error,omitempty"`
}

// Summary is what is asked of many runs at a time.
type Summary struct {
	// Pushed: what was committed stands at the remote. `exemplar ls --pushed`.
	Pushed bool `json:"pushed"`
	// Clean: the run was ok and left no tracked change. The rollup mtbc counts
	// the time between clean runs; nil where the word means nothing.
	Clean      *bool  `json:"clean,omitempty"`
	Branch     string `json:"branch,omitempty"`
	Remote     string `json:"remote,omitempty"`
	HeadBefore string `json:"head_before,omitempty"`
	HeadAfter  string `json:"head_after,omitempty"`
	Text       string `json:"text,omitempty"` // in a sentence
	// Counts are numbers of the run's own, as {"committed":2}.
	Counts map[string]int64 `json:"counts,omitempty"`
}

// Provenance is the origin's line above every file.
type Provenance struct {
	Medallion string `json:"medallion,omitempty"`
	Mutation  string `json:"mutation,omitempty"`
	Hive      string `json:"hive,omitempty"`
}

// Build writes the packet in canonical form, named by its hash, and holds it
// to its contract.
func (p Packet) Build() (packet []byte, id string, err error) {
	for _, list := range []*[]string{&p.Tags, &p.Keywords, &p.Sources} {
		if *list == nil {
			*list = []string{} // the contract wants arrays
		}
	}
	raw, err := json.Marshal(struct {
		Type string `json:"type"`
		Packet
	}{exemplar.Type, p})
	if err != nil {
		return nil, "", fmt.Errorf("building an exemplar packet: %w", err)
	}
	if errs := Check(raw); len(errs) > 0 {
		return nil, "", fmt.Errorf("building an exemplar packet: %w", &Refusal{Errors: errs})
	}
	if packet, id, err = exemplar.Seal(raw); err != nil {
		return nil, "", fmt.Errorf("building an exemplar packet: %w", err)
	}
	return packet, id, nil
}

// Check holds a packet to its contract; pointers begin at the event, as
// /data/scope.
func Check(packet []byte) []contracts.FieldError {
	return contracts.Builtin().Topic([]byte(exemplar.Topic)).CheckData(packet)
}

// PromptHash is the prompt_sha256 of a run that had no prompt: of what it was
// asked to do. It is the SHA-256 of {"allowlist":[…],"argv":[…],"config":…} in
// canonical form; config is JSON, nil for none.
//
//	printf '%s' '{"allowlist":["tools/a.sh"],"argv":["gitops","run"],"config":null}' | sha256sum
func PromptHash(argv []string, config []byte, allowlist []string) (string, error) {
	if len(config) == 0 {
		config = []byte("null")
	}
	if !contracts.Valid(config) {
		return "", fmt.Errorf("hashing what a run was asked: the configuration is %w", jcs.ErrNotJSON)
	}
	raw, err := json.Marshal(struct {
		Argv      []string        `json:"argv"`
		Config    json.RawMessage `json:"config"`
		Allowlist []string        `json:"allowlist"`
	}{append([]string{}, argv...), config, append([]string{}, allowlist...)})
	if err != nil {
		return "", fmt.Errorf("hashing what a run was asked: %w", err)
	}
	return jcs.Sum(raw)
}

// Refusal is a packet that is not taken, and why: an answer, not a failure.
type Refusal struct {
	Reason string // bad_parameter, duplicate
	Errors []contracts.FieldError
}

// Error tells of the first fault.
func (r *Refusal) Error() string {
	if len(r.Errors) == 0 {
		return "the packet is refused"
	}
	c := contracts.Refusal{Reason: contracts.ReasonContract, Errors: r.Errors}
	return "the packet is refused: " + c.Error()
}
