package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"stigmergy/contracts"
	"stigmergy/exemplars"
	"stigmergy/gitops"
)

// bundleSources are the files of a bundle that its packet names by hash.
func bundleSources() []string {
	return []string{gitops.ReceiptFile, gitops.LogFile, gitops.ConfigFile, gitops.RunIDFile, gitops.ProofDirFile}
}

// packet is a run as an exemplar: everything that it references is its own
// bundle's, as paths below the board's root.
func gitopsPacket(ctx context.Context, root *os.Root, f *gitops.Finished) (packet []byte, id string, err error) {
	r := f.Receipt
	below := func(name string) string { return path.Join(f.Below, name) }
	var sources []string
	for _, name := range bundleSources() {
		if _, err := os.Stat(filepath.Join(f.Dir, name)); err == nil {
			sources = append(sources, below(name))
		}
	}
	hashes, err := exemplars.HashSources(ctx, root, sources)
	if err != nil {
		return nil, "", err
	}
	config := bytes.TrimPrefix(f.Config.Text, []byte("\xef\xbb\xbf"))
	if !contracts.Valid(config) {
		config = nil
	}
	prompt, err := exemplars.PromptHash(r.Options.Argv, config, r.Allowlist())
	if err != nil {
		return nil, "", err
	}
	p := exemplars.Packet{
		TS: *r.Ended, Scope: "gitops_run__" + r.Scope, Outcome: r.Outcome, RunID: r.RunID,
		PreflightReceiptID: r.RunID + ":preflight", PostflightReceiptID: r.RunID + ":postflight",
		PromptSHA256: prompt, Tags: []string{"gitops", "gitops_run", r.Outcome},
		Sources: append(sources, path.Join(f.Base, r.Config)), SourceHashes: hashes,
		Artifacts: exemplars.Artifacts{ExemplarPath: below(gitops.ExemplarFile), ReceiptPath: below(gitops.ReceiptFile), LogPath: below(gitops.LogFile)},
		Commands:  r.Recipe(), ConfigSHA256: r.ConfigSHA, Summary: gitopsSummary(r),
	}
	for i, name := range bundleSources() {
		if name == gitops.ReceiptFile {
			p.AnswerSHA256 = hashes[i].SHA256
		}
	}
	p.Gates, p.Batches, p.Keywords = packetParts(r)
	return p.Build()
}

// maxPacketGates bounds a packet: it is one line of a lane.
const maxPacketGates = 2000

// short is a text of at most n bytes.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func packetParts(r *gitops.Receipt) (gates []exemplars.Gate, batches []exemplars.Batch, keywords []string) {
	keywords = []string{r.Scope, r.Branch}
	for _, b := range r.Batches {
		e := exemplars.Batch{BatchID: b.BatchID, Outcome: b.Outcome, Insertions: int64(b.Added), Deletions: int64(b.Removed), Paths: int64(len(b.Paths))}
		if b.CommitSHA != nil {
			e.CommitSHA = *b.CommitSHA
		}
		if b.Error != nil {
			e.Error = short(*b.Error, 500)
		}
		batches = append(batches, e)
		keywords = append(keywords, b.BatchID)
	}
	for i, g := range r.Gates {
		if i == maxPacketGates {
			break // all of them stand on the receipt
		}
		gates = append(gates, exemplars.Gate{GateID: g.GateID, Outcome: g.Outcome, DurationMS: int64(g.DurationMS), BatchID: g.BatchID})
	}
	if r.Refusal != nil {
		keywords = append(keywords, "refused", r.Refusal.Rail)
	}
	return gates, batches, keywords
}

func gitopsSummary(r *gitops.Receipt) *exemplars.Summary {
	skipped, planned, committed, failed := r.Counts()
	clean := r.Outcome == gitops.OK && r.DirtyAfter != nil && *r.DirtyAfter == 0
	s := &exemplars.Summary{
		Pushed: r.Pushed(), Clean: &clean, Branch: r.Branch, Remote: r.Remote,
		Counts: map[string]int64{"skipped": int64(skipped), "planned": int64(planned), "committed": int64(committed), "error": int64(failed)},
		Text:   fmt.Sprintf("GitOps run of %d batches on %s: %d committed, %d planned, %d skipped, %d failed", len(r.Batches), r.Branch, committed, planned, skipped, failed),
	}
	if r.HeadBefore != nil {
		s.HeadBefore = *r.HeadBefore
	}
	if r.HeadAfter != nil {
		s.HeadAfter = *r.HeadAfter
	}
	if r.Refusal != nil {
		s.Text = "GitOps run refused: " + r.Refusal.Error()
	}
	return s
}
