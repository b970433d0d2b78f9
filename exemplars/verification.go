package exemplars

import (
	"encoding/json"
	"fmt"
	"time"

	"stigmergy/contracts/exemplar"
	"stigmergy/contracts/jcs"
)

// Verification is one look at whether a board, or a file, is what was signed.
type Verification struct {
	What    string   // what was verified: board, plan, proof
	Argv    []string // the command
	Verdict string   // ok, unanchored, tampered, …
	Outcome string   // ok, partial or error
	At      time.Time
	Result  any // what it came to, as JSON
}

// Packet is the verification's: its answer is the hash of its result in
// canonical form.
func (v Verification) Packet() (Packet, error) {
	prompt, err := PromptHash(v.Argv, nil, nil)
	if err != nil {
		return Packet{}, err
	}
	raw, err := json.Marshal(v.Result)
	if err != nil {
		return Packet{}, fmt.Errorf("remembering a verification: %w", err)
	}
	answer, err := jcs.Sum(raw)
	if err != nil {
		return Packet{}, fmt.Errorf("remembering a verification: %w", err)
	}
	run := "verify_" + v.At.UTC().Format("20060102T150405.000000000Z")
	return Packet{
		TS: v.At.UTC().Format(time.RFC3339Nano), Scope: "verify__" + v.What, RunID: run,
		PreflightReceiptID: run + ":preflight", PostflightReceiptID: run + ":postflight",
		Outcome: v.Outcome, PromptSHA256: prompt, AnswerSHA256: answer, Answer: string(raw),
		Tags: []string{"verify", v.Verdict}, Commands: [][]string{v.Argv},
		Artifacts: Artifacts{ExemplarPath: exemplar.Dir + "/" + run + ".json"},
		Summary:   &Summary{Text: v.Verdict},
	}, nil
}
