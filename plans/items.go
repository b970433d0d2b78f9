package plans

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
	"stigmergy/plans/exec"
)

// maxItems is how many bytes a partition's command may print.
const maxItems = 64 << 20

// command is a partition whose items a registered kind's command prints, one a
// line: JSON, or else text. The files of its glob are {inputs}, and with stdin
// a line each, by their absolute paths. A line {"inputs":["a.txt","b.txt"]} has
// files for a shard's inputs.
func (r *resolution) command(ctx context.Context, s *plan.Draft) (*shards, error) {
	p := &s.Partition
	var names []string
	if len(p.Globs) > 0 {
		var err error
		if names, err = r.world.expand(p.Globs); err != nil {
			return nil, r.troubled(s, "/partition/glob", err)
		}
		if len(names) == 0 {
			r.nothing(s)
			return nil, nil
		}
	}
	text, err := r.print(ctx, p, names)
	var t *trouble
	switch {
	case errors.As(err, &t):
		r.fault(s, "/partition/by", "command", t.expected, t.got, t.hint)
		return nil, nil
	case err != nil:
		return nil, err
	}
	return r.printed(ctx, s, text)
}

// print runs the command.
func (r *resolution) print(ctx context.Context, p *plan.Partition, names []string) ([]byte, error) {
	if r.Run == nil {
		return nil, &trouble{expected: "a partition that can be made here", got: "one by a command", hint: "nobody runs commands here"}
	}
	task := exec.Task{
		StageID: p.By, Attempt: 1, Root: r.Root, Timeout: plan.DefaultTimeout,
		Job: plan.Job{Argv: p.Argv, Stdin: p.Command.Stdin, Env: p.Command.Env},
	}
	if p.Command.TimeoutMS > 0 {
		task.Timeout = time.Duration(p.Command.TimeoutMS) * time.Millisecond
	}
	for _, name := range names {
		path, err := json.Marshal(filepath.Join(r.Root, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		item := plan.Item(path)
		task.Inputs = append(task.Inputs, plan.Input{Item: &item})
	}
	text, res, err := r.Run(ctx, &task)
	switch {
	case err != nil:
		return nil, err
	case !res.OK:
		return nil, &trouble{expected: "a command that prints an item a line", got: clip(res.Error), hint: "it ran " + quote(strings.Join(p.Argv, " "))}
	case len(text) > maxItems:
		return nil, &trouble{expected: fmt.Sprintf("a command that prints at most %d bytes", maxItems), got: fmt.Sprint(len(text))}
	}
	return text, nil
}

// printed reads what a partition's command printed.
func (r *resolution) printed(ctx context.Context, s *plan.Draft, text []byte) (*shards, error) {
	var items [][]byte
	var lists [][]string
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		names, isInputs := inputsOf(line)
		if !isInputs && !contracts.Valid(line) {
			line = contracts.AppendString(nil, strings.ToValidUTF8(string(line), "\ufffd"))
		}
		if isInputs {
			lists = append(lists, names)
		} else {
			items = append(items, bytes.Clone(line))
		}
		if len(items)+len(lists) > plan.MaxShards*int(min(s.Partition.PerShard, 1000)) || len(items) > 0 && len(lists) > 0 {
			r.fault(s, "/partition/by", "command", fmt.Sprintf("a command that prints at most %d items, or inputs on every line", plan.MaxShards), fmt.Sprintf("another line %d", number), "")
			return nil, nil
		}
	}
	switch {
	case len(items)+len(lists) == 0:
		r.fault(s, "/partition/by", "shards", "a command that prints at least one item", "nothing", "a stage without shards does nothing")
		return nil, nil
	case len(lists) == 0:
		return ofItems(items, s.Partition.PerShard), nil
	case s.UsesItem():
		r.fault(s, "/partition/by", "placeholder", "a command that prints items: the stage's argv has {item}", "one that prints inputs", "{inputs} are a shard's files")
		return nil, nil
	}
	return r.ofLists(ctx, s, lists)
}

// inputsOf are the files that a printed line names, if it does.
func inputsOf(line []byte) (names []string, ok bool) {
	v := contracts.Lookup(line, "inputs")
	if v.Kind != contracts.Array || !contracts.Valid(line) {
		return nil, false
	}
	ok = true
	contracts.Elements(v.Raw, func(e contracts.Value) bool {
		ok = ok && e.Kind == contracts.String
		names = append(names, e.Text())
		return ok
	})
	return names, ok && len(names) > 0
}

// ofLists makes a shard of each list of files.
func (r *resolution) ofLists(ctx context.Context, s *plan.Draft, lists [][]string) (*shards, error) {
	var all []string
	index := map[string]int{}
	most, total := 0, 0
	for _, names := range lists {
		most, total = max(most, len(names)), total+len(names)
		for i, name := range names {
			if rel, err := filepath.Rel(r.Root, name); err == nil && filepath.IsAbs(name) {
				name = filepath.ToSlash(rel)
			}
			clean, hint, ok := plan.CleanPath(name)
			if !ok {
				r.fault(s, "/partition/by", "command", "a command that prints paths below the root", quote(name), hint)
				return nil, nil
			}
			if _, known := index[clean]; !known {
				index[clean] = len(all)
				all = append(all, clean)
			}
			names[i] = clean
		}
	}
	sums, ok, err := r.hashed(ctx, s, "/partition/by", all)
	if !ok || err != nil {
		return nil, err
	}
	if most > 1 {
		r.onlyOne(s, most)
	}
	return &shards{n: len(lists), total: total, inputs: func(i int) []plan.Input {
		out := make([]plan.Input, 0, len(lists[i]))
		for _, name := range lists[i] {
			out = append(out, plan.Input{Name: name, SHA256: sumText(sums[index[name]])})
		}
		return out
	}}, nil
}

// Runs is how the commands of partitions are run.
type Runs = func(ctx context.Context, t *exec.Task) (output []byte, res exec.Result, err error)

// Beside runs the commands of partitions in a folder of their own, with a store
// that nobody keeps.
func Beside(environ []string) Runs {
	return func(ctx context.Context, t *exec.Task) (out []byte, res exec.Result, err error) {
		dir, err := os.MkdirTemp("", "stigmergy-items-")
		if err != nil {
			return nil, res, err
		}
		defer os.RemoveAll(dir)
		l, _, err := layout.Create(dir)
		if err != nil {
			return nil, res, err
		}
		cas := durable.CAS{Layout: l}
		r, err := exec.New(cas, environ)
		if err != nil {
			return nil, res, err
		}
		defer r.Close()
		if res, err = r.Run(ctx, t); err != nil || !res.OK {
			return nil, res, err
		}
		out, err = cas.Get(res.Digest)
		return out, res, err
	}
}

// DryRun resolves a plan and stores nothing: what is wrong with it, or what it
// would be. Commands of partitions are run.
func DryRun(ctx context.Context, root, board string, environ []string, ask plan.Resolve) (*Result, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	r := Resolver{Root: abs, Board: board, Run: Beside(environ)}
	return r.Resolve(ctx, ask)
}
