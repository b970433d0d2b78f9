package gitops

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// ConfigPath is where the configuration stands, below the repository's top.
const ConfigPath = ".gitops/batches.json"

// The types of a batch.
const (
	Tracked   = "tracked"   // what git add -u would stage
	Untracked = "untracked" // new files that allow lists
)

// SecretGate is the id of the built-in gate.
const SecretGate = "secrets"

// Config is a configuration that can be used.
type Config struct {
	Path    string // below the top, with /
	SHA256  string // of the file
	Text    []byte
	Scope   string // "": the branch's name
	Push    bool
	Remote  string
	Branch  string // CURRENT: the one checked out
	Root    string // of the bundles, below the top
	Secrets bool   // the built-in gate is on
	Batches []Batch
	Gates   []Gate
}

// Batch is one commit to be.
type Batch struct {
	ID      string
	Type    string
	Message string
	Paths   []string
	Allow   []string // of an untracked one
}

// Gate is a program that must end with 0 before a batch is committed.
type Gate struct {
	ID      string
	Argv    []string // {batch_id} stands for the batch's
	Timeout time.Duration
	Paths   []string // none: for every batch
}

// fileConfig is the file as it is written.
type fileConfig struct {
	Scope    string `json:"scope"`
	Defaults struct {
		Push       bool   `json:"push"`
		Remote     string `json:"remote"`
		Branch     string `json:"branch"`
		ProofRoot  string `json:"proofRoot"`
		SecretGate *bool  `json:"secretGate"`
	} `json:"defaults"`
	Batches []fileBatch `json:"batches"`
	Gates   []struct {
		ID      string   `json:"gate_id"`
		Argv    []string `json:"argv"`
		Timeout string   `json:"timeout"`
		Paths   []string `json:"paths"`
	} `json:"gates"`
}

type fileBatch struct {
	BatchID string    `json:"batch_id"`
	ID      string    `json:"id"` // the origin's name of batch_id
	Type    string    `json:"type"`
	Message string    `json:"message"`
	Paths   []string  `json:"paths"`
	Allow   *[]string `json:"allow"`
}

// gateTimeout is how long a gate without a timeout may take.
const gateTimeout = 60 * time.Second

// ReadConfig reads a configuration. What cannot be read at all is Faults; what
// can be read but must not be done is a *Refusal, for it gets a receipt.
func ReadConfig(name string, text []byte) (*Config, *Refusal, error) {
	d, err := parse(name, text)
	if err != nil {
		return nil, nil, err
	}
	if faults := d.check("gitops_batches.v1"); len(faults) > 0 {
		return nil, nil, faults
	}
	var f fileConfig
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &f); err != nil {
		return nil, nil, Faults{d.fault("", "a configuration", err.Error())}
	}
	sum := sha256.Sum256(text)
	c := &Config{
		Path: name, SHA256: hex.EncodeToString(sum[:]), Text: text, Scope: f.Scope,
		Push: f.Defaults.Push, Remote: or(f.Defaults.Remote, "origin"), Branch: or(f.Defaults.Branch, current),
		Root: or(strings.TrimRight(f.Defaults.ProofRoot, "/"), ProofRoot), Secrets: f.Defaults.SecretGate == nil || *f.Defaults.SecretGate,
	}
	var faults Faults
	for i, b := range f.Batches {
		batch := Batch{ID: or(b.BatchID, b.ID), Type: or(b.Type, Tracked), Message: b.Message, Paths: b.Paths}
		batch.Message = or(strings.TrimRight(batch.Message, " \t\r\n"), "gitops: "+batch.ID)
		if batch.Type == Untracked {
			batch.Allow = b.Paths
			if b.Allow != nil {
				batch.Allow = *b.Allow
			}
		}
		c.Batches = append(c.Batches, batch)
		_ = i
	}
	for i, g := range f.Gates {
		gate := Gate{ID: g.ID, Argv: g.Argv, Paths: g.Paths, Timeout: gateTimeout}
		if g.Timeout != "" {
			t, err := time.ParseDuration(g.Timeout)
			if err != nil || t <= 0 {
				faults = append(faults, d.fault(fmt.Sprintf("/gates/%d/timeout", i), "a duration as 60s", fmt.Sprintf("%q", g.Timeout)))
			}
			gate.Timeout = t
		}
		if g.Argv[0] == "" {
			faults = append(faults, d.fault(fmt.Sprintf("/gates/%d/argv/0", i), "a program", "an empty string"))
		}
		c.Gates = append(c.Gates, gate)
	}
	faults = append(faults, c.twice(d)...)
	if len(faults) > 0 {
		return nil, nil, faults
	}
	return c, c.unsafe(d, f.Batches), nil
}

// twice finds ids that stand twice, and patterns of two batches that take one
// another. What only the files themselves can tell is found by the run.
func (c *Config) twice(d *document) Faults {
	var faults Faults
	gates := map[string]bool{SecretGate: true}
	for i, g := range c.Gates {
		if gates[g.ID] {
			faults = append(faults, d.fault(fmt.Sprintf("/gates/%d/gate_id", i), "an id of its own", fmt.Sprintf("%q, which is taken", g.ID)))
		}
		gates[g.ID] = true
	}
	ids := map[string]bool{}
	for i, b := range c.Batches {
		if ids[b.ID] {
			faults = append(faults, d.fault(fmt.Sprintf("/batches/%d", i), "a batch_id of its own", fmt.Sprintf("%q, which is taken", b.ID)))
		}
		ids[b.ID] = true
		for _, other := range c.Batches[:i] {
			if f := overlap(d, i, b, other); f != nil && len(faults) < maxFaults {
				faults = append(faults, f)
			}
		}
	}
	return faults
}

// overlap tells of a pattern of b that other has too.
func overlap(d *document, i int, b, other Batch) *Fault {
	if b.Type != other.Type {
		return nil
	}
	field, list, theirs, takes := "paths", b.Paths, other.Paths, matchSpec
	if b.Type == Untracked {
		field, list, theirs, takes = "allow", b.Allow, other.Allow, matchGlob
	}
	for k, p := range list {
		for _, q := range theirs {
			if p == q || !wild(p) && takes(q, p) || !wild(q) && takes(p, q) {
				pointer := fmt.Sprintf("/batches/%d/%s/%d", i, field, k)
				return d.fault(pointer, "a path that one batch takes", fmt.Sprintf("%q, which batch %q takes with %q", p, other.ID, q))
			}
		}
	}
	return nil
}

// unsafe finds what a file of right shape asks for and must not get.
func (c *Config) unsafe(d *document, file []fileBatch) *Refusal {
	for i, b := range c.Batches {
		at := fmt.Sprintf("/batches/%d", i)
		id, name := at+"/batch_id", "batch_id"
		if file[i].BatchID == "" {
			id, name = at+"/id", "id"
		}
		if strings.HasPrefix(b.ID, "-") {
			return refusal(d, id, RailOption, fmt.Sprintf("%s %q begins with -, which git could take for an option", name, b.ID))
		}
		if strings.HasPrefix(b.Message, "-") {
			return refusal(d, at+"/message", RailOption, fmt.Sprintf("the message %q begins with -, which git could take for an option", clip(b.Message)))
		}
		for _, list := range []struct {
			name     string
			patterns []string
		}{{"paths", b.Paths}, {"allow", b.Allow}} {
			for k, p := range list.patterns {
				if why := outside(p); why != "" {
					return refusal(d, fmt.Sprintf("%s/%s/%d", at, list.name, k), RailOutside, fmt.Sprintf("%q is %s", p, why))
				}
			}
		}
	}
	if why := outside(c.Root); why != "" {
		return refusal(d, "/defaults/proofRoot", RailOutside, fmt.Sprintf("%q is %s", c.Root, why))
	}
	return nil
}

func refusal(d *document, pointer, rail, reason string) *Refusal {
	f := d.fault(pointer, "", "")
	return &Refusal{Rail: rail, Reason: reason, Pointer: pointer, Line: f.Line, File: d.name, Try: "mend " + d.name}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
