package cli

import (
	"errors"

	"stigmergy/exemplars"
)

type exemplarLs struct {
	Scope   string `placeholder:"SCOPE" help:"Only this scope; * and ? match, as 'gitops_run*'."`
	Outcome string `enum:",ok,partial,error" default:"" placeholder:"OUTCOME" help:"Only these: ok, partial or error."`
	Pushed  bool   `help:"Only runs whose commits were pushed."`
	Last    int    `placeholder:"N" help:"Only the last N (default: all)."`
}

// Help says the rest.
func (exemplarLs) Help() string {
	return `The last push that worked, with the exact commands and the hash of the configuration: stigmergy exemplar ls --scope 'gitops_run*' --outcome ok --pushed --last 1

As JSON, a row holds commands, config_sha256 and the whole packet.`
}

// Run lists.
func (c *exemplarLs) Run(a *app) error {
	if c.Last < 0 {
		return usage("listing exemplars", "a number above zero", itoa(c.Last), "")
	}
	return a.showExemplars(exemplars.Query{Window: exemplars.Window{Scope: c.Scope}, Outcome: c.Outcome, Pushed: c.Pushed, Limit: c.Last})
}

type ssotCmd struct {
	Search ssotSearch `cmd:"" help:"Runs in which all the words stand, the best first."`
}

type ssotSearch struct {
	Words   []string `arg:"" optional:"" name:"word" help:"Words to look for."`
	Query   string   `placeholder:"WORDS" help:"Words to look for."`
	Scope   string   `placeholder:"SCOPE" help:"Only this scope; * and ? match."`
	Outcome string   `enum:",ok,partial,error" default:"" placeholder:"OUTCOME" help:"Only these: ok, partial or error."`
	Limit   int      `default:"10" placeholder:"N" help:"At most so many; 0: all."`
}

// Help says the rest.
func (ssotSearch) Help() string {
	return `Every string of a packet is searched: scope, run_id, tags, keywords, commands, paths, commits, errors, prompts and answers. Words are words, whatever they are made of: gitops_run finds gitops_run__gen88-v4, quotes and operators mean nothing. A word of three letters or more also finds words that begin so.

First come runs with all the words among what names them (scope, run_id, outcome, tags, keywords, exemplar_id), then those with them anywhere, then those in which words only begin so; among equals the newest.

Exit status 1: nothing was found.`
}

// Run searches.
func (c *ssotSearch) Run(a *app) error {
	words := c.Query
	for _, w := range c.Words {
		words += " " + w
	}
	switch {
	case words == "":
		return usage("searching exemplars", "words", "none", "stigmergy ssot search --query gitops_run")
	case c.Limit < 0:
		return usage("searching exemplars", "a number", itoa(c.Limit), "")
	}
	return a.showExemplars(exemplars.Query{Words: words, Window: exemplars.Window{Scope: c.Scope}, Outcome: c.Outcome, Limit: c.Limit})
}

// showExemplars prints what a query selects.
func (a *app) showExemplars(q exemplars.Query) error {
	s, err := a.exemplarStore()
	if err != nil {
		return err
	}
	p := a.printer()
	found, err := s.Search(a.ctx, q)
	for i := 0; err == nil && i < len(found); i++ {
		err = p.add(exemplarRecord(&found[i], p.format))
	}
	if err = errors.Join(a.stopped(storeFault(err)), p.close(), s.Close()); err != nil {
		return err
	}
	if len(found) == 0 {
		return exitWith(codeNone)
	}
	return nil
}

// exemplarRecord is a row: for people what tells runs apart, for programs all.
func exemplarRecord(e *exemplars.Exemplar, format string) record {
	r := record{
		text("exemplar_id", e.ExemplarID), text("ts", e.TS), text("scope", e.Scope), text("run_id", e.RunID), text("outcome", e.Outcome),
		flag("pushed", e.Pushed), text("config_sha256", e.ConfigSHA256),
	}
	commands := e.Member("commands")
	if format == "text" || format == "table" {
		r[0] = text("exemplar_id", e.ExemplarID[:12])
		if len(e.ConfigSHA256) > 12 {
			r[6] = text("config_sha256", e.ConfigSHA256[:12])
		}
		return append(r[1:], r[0], cell{"commands", commands})
	}
	return append(r,
		cell{"commands", commands}, value("clean", e.Clean), number("batches", e.Batches), number("committed", e.Committed),
		number("failed_gates", e.FailedGates), number("insertions", e.Insertions), number("deletions", e.Deletions),
		text("receipt_path", e.ReceiptPath), text("position", e.Position), text("source", e.Source), text("event_id", e.EventID),
		text("ingested", e.Ingested), cell{"packet", e.Packet})
}
