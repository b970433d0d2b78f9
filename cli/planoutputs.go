package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/plans/view"
)

type planOutputs struct {
	planArg
	To    string   `type:"path" placeholder:"DIR" help:"Copy them to DIR/STAGE/CAS_ID. Without it they are only listed."`
	Stage []string `placeholder:"STAGE" help:"Only these stages."`
}

// Help says the rest.
func (planOutputs) Help() string {
	return `Lists stage_id, cas_id, output_digest, bytes and the path of every output that stands; with --to each is copied and its SHA-256 verified. A file of DIR that is right already is left alone. Exit 2 if an output is missing or damaged, 1 if there is none.`
}

// Run lists or fetches.
func (c *planOutputs) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	id, err := c.find(a, e)
	if err != nil {
		return err
	}
	p, err := a.viewPlan(e, l, id)
	if err != nil {
		return err
	}
	for _, name := range c.Stage {
		if p.Stage(name) == nil {
			return usage("fetching outputs", "a stage of the plan", quote(name), "stigmergy plan status "+id)
		}
	}
	out := a.printer()
	some, bad := 0, false
	err = eachOutput(p, c.Stage, func(st *view.Stage, s *view.Shard) error {
		some++
		path, size, err := c.fetch(l, st, s)
		if err != nil {
			if diskFailed(err) {
				return err
			}
			a.note("stigmergy: the output of %s/%s: %v", st.ID, s.CASID, err)
			bad = true
			return nil
		}
		return out.add(record{text("stage_id", st.ID), text("cas_id", s.CASID), text("output_digest", s.Digest), number("bytes", size), text("path", path)})
	})
	if err = errors.Join(err, out.close()); err != nil {
		return err
	}
	switch {
	case bad:
		return exitWith(codeUsage)
	case some == 0:
		return exitWith(codeNone)
	}
	return nil
}

// eachOutput calls fn for every shard that is done, of some stages or of all.
func eachOutput(p *view.Plan, stages []string, fn func(*view.Stage, *view.Shard) error) error {
	for _, st := range p.Stages {
		if len(stages) > 0 && !slices.Contains(stages, st.ID) {
			continue
		}
		for _, s := range st.Shards {
			if s.State != view.Done {
				continue
			}
			if err := fn(st, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch gives the path of an output: in the store, or where it was copied to.
func (c *planOutputs) fetch(l layout.Layout, st *view.Stage, s *view.Shard) (path string, size int64, err error) {
	if len(s.Digest) != sha256.Size*2 || !filepath.IsLocal(st.ID) || strings.ContainsAny(st.ID+s.CASID, "/\\") {
		return "", 0, fmt.Errorf("expected a SHA-256, found %q", s.Digest)
	}
	from := l.Blob(s.Digest)
	if c.To == "" {
		fi, err := os.Stat(from)
		if err != nil {
			return "", 0, missing(err)
		}
		return from, fi.Size(), nil
	}
	to := filepath.Join(c.To, st.ID, s.CASID)
	if sum, n, err := sumFile(to); err == nil && sum == s.Digest {
		return to, n, nil
	}
	size, err = copyVerified(from, to, s.Digest)
	return to, size, missing(err)
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is not in the store any more (stigmergy plan replay makes it again)", err)
	}
	return err
}

func sumFile(path string) (sum string, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// copyVerified copies an object under another name, whole or not at all.
func copyVerified(from, to, digest string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return 0, err
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	h := sha256.New()
	n, err = io.Copy(io.MultiWriter(out, h), in)
	err = errors.Join(err, out.Chmod(0o644), out.Close())
	if err != nil {
		return n, err
	}
	if hex.EncodeToString(h.Sum(nil)) != digest {
		return n, fmt.Errorf("%s: %w", from, durable.ErrDamaged)
	}
	return n, os.Rename(out.Name(), to)
}
