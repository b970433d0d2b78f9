package plan

import (
	"fmt"
	"path"
	"strings"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
)

// How the shards of a stage may be made.
const (
	ByFiles   = "files"   // one shard for per_shard files
	ByLines   = "lines"   // per_shard lines of a file
	ByBytes   = "bytes"   // at most per_shard bytes of a file, cut at newlines
	ByRange   = "range"   // per_shard numbers
	ByItems   = "items"   // per_shard values
	ByOne     = "one"     // one shard, with the files of a glob
	ByOutputs = "outputs" // per_shard outputs of another stage
)

func partitions() []string {
	return []string{ByFiles, ByLines, ByBytes, ByRange, ByItems, ByOne, ByOutputs}
}

// originNames are the partitioners of the HXO seed's system: on a board they
// are kinds of their own that somebody registers, whose command prints items.
func originNames() []string {
	return []string{"by_filesize", "by_module", "by_dag_depth", "by_sql_batch", "by_asset_bucket", "by_route_map"}
}

// Partition says how a stage's shards are made. A range is from From up to but
// not including To.
type Partition struct {
	By       string
	Globs    []string // files, one, a command: slashes, below the root
	Input    string   // lines, bytes: the file's path below the root
	PerShard int64
	From, To int64 // range
	Step     int64
	Items    [][]byte // canonical JSON
	Of       string   // outputs: stage_id
	Command  *Kind    // the registered kind whose command prints the items
	Argv     []string // its command with the partition's spec in it
}

// items tells whether shards have values, not files.
func (p *Partition) items() bool {
	return p.By == ByItems || p.By == ByRange || p.Command != nil
}

// Count is how many numbers a range has.
func (p *Partition) Count() int64 {
	switch {
	case p.Step > 0 && p.To > p.From:
		return (p.To - p.From + p.Step - 1) / p.Step
	case p.Step < 0 && p.To < p.From:
		return (p.From - p.To - p.Step - 1) / -p.Step
	}
	return 0
}

// partition reads a stage's partition; false where it is not sound.
func (r *reader) partition(o *object, s *Draft) bool {
	v := o.field("partition")
	if v == nil {
		s.Partition = Partition{By: ByOne, PerShard: 1}
		return true
	}
	before := len(r.list)
	p := r.object(v, o.at+"/partition", "an object such as {by: files, glob: \"**/*.go\"}")
	if !p.ok {
		return false
	}
	s.Partition = r.partitionOf(p, s)
	return len(r.list) == before
}

func (r *reader) partitionOf(o *object, s *Draft) Partition {
	out := Partition{PerShard: 1}
	by, at := o.str("by", "how: "+join(partitions()), true)
	out.By = by
	switch by {
	case ByFiles:
		out.Globs = r.globs(o, true)
		out.PerShard = o.integer("per_shard", 1, 1, maxExact)
	case ByOne:
		out.Globs = r.globs(o, false)
	case ByLines:
		out.Input = r.input(o)
		out.PerShard = o.integer("per_shard", DefaultLines, 1, maxExact)
	case ByBytes:
		out.Input = r.input(o)
		out.PerShard = r.size(o, "per_shard", DefaultBytes)
	case ByRange:
		r.rangeOf(o, &out)
	case ByItems:
		r.itemsOf(o, &out)
	case ByOutputs:
		out.Of, _ = o.str("of", "the stage_id whose outputs are the inputs", true)
		out.PerShard = o.integer("per_shard", 1, 1, maxExact)
	default:
		if at == nil {
			return out
		}
		if r.commandOf(o, s, &out); out.Command == nil {
			r.unknownPartition(o, at)
			return out
		}
	}
	o.done("a partition by " + by)
	return out
}

func (r *reader) unknownPartition(o *object, at *node) {
	hint := didYouMean(at.text, partitions())
	if contains(originNames(), at.text) || hint == "" {
		hint = "or a registered kind whose command prints an item a line: register " + clip(at.text) + " with blueprint.events"
	}
	r.add(at, o.at+"/by", "enum", "one of "+join(partitions()), quoted(at.text), hint)
}

// commandOf is a partition by the items that a registered kind prints.
func (r *reader) commandOf(o *object, s *Draft, out *Partition) {
	k := r.kinds[out.By]
	if k == nil || k.Kind == Exec || len(k.Command) == 0 {
		return
	}
	out.Command = k
	out.Globs = r.globs(o, false)
	out.PerShard = o.integer("per_shard", 1, 1, maxExact)
	sub := &Draft{n: o.n, at: o.at}
	r.spec(o, sub, k)
	out.Argv = sub.Job.Argv
}

// globs reads one glob or a list of them.
func (r *reader) globs(o *object, required bool) []string {
	v := o.field("glob")
	at := o.at + "/glob"
	const expected = "a glob such as src/**/*.go, or a list of them"
	list := []*node{v}
	switch {
	case v == nil && required:
		o.missing("glob", expected)
		return nil
	case v == nil:
		return nil
	case v.kind == contracts.Array:
		list = v.items
		if len(list) == 0 || len(list) > maxGlobs {
			r.add(v, at, "size", fmt.Sprintf("1 to %d globs", maxGlobs), v.show(), "")
		}
	}
	var out []string
	for i, g := range list {
		where := at
		if v.kind == contracts.Array {
			where = index(at, i)
		}
		if g.kind != contracts.String {
			r.add(g, where, "type", expected, g.show(), "")
			continue
		}
		if clean, hint, ok := cleanGlob(g.text); ok {
			out = append(out, clean)
		} else {
			r.add(g, where, "glob", "a glob of paths below the root", quoted(g.text), hint)
		}
	}
	return out
}

func cleanGlob(s string) (clean, hint string, ok bool) {
	clean, hint, ok = CleanPath(s)
	if !ok {
		return "", hint, false
	}
	for _, part := range strings.Split(clean, "/") {
		if strings.Contains(part, "**") && part != "**" {
			return "", "** stands alone between slashes: **/*.go", false
		}
		if _, err := path.Match(part, ""); err != nil {
			return "", "[ wants its ], and \\ something to take the meaning from", false
		}
		if open := strings.IndexByte(part, '{'); open >= 0 && strings.IndexByte(part[open:], ',') > 0 && strings.IndexByte(part[open:], '}') > 0 {
			return "", "braces are no alternatives here: write a list of globs", false
		}
	}
	return clean, "", true
}

// CleanPath is a path of a plan as shards name it: below the root, with
// slashes, without dots. hint says why it is refused.
func CleanPath(s string) (clean, hint string, ok bool) {
	switch {
	case s == "" || hasNUL(s) || len(s) > maxPath:
		return "", fmt.Sprintf("a path has 1 to %d bytes, none of them NUL", maxPath), false
	case s[0] == '/':
		return "", "paths are relative to the root, which the setting root names", false
	case s[0] == '~':
		return "", "~ is a shell's: paths are relative to the root", false
	}
	clean = path.Clean(s)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", "it leaves the root, which the setting root names", false
	}
	if clean == "." {
		return "", "it names the root itself", false
	}
	return clean, "", true
}

func (r *reader) input(o *object) string {
	text, at := o.str("input", "the path of a file below the root", true)
	if at == nil {
		return ""
	}
	clean, hint, ok := CleanPath(text)
	if !ok {
		r.add(at, o.at+"/input", "path", "the path of a file below the root", quoted(text), hint)
	}
	return clean
}

// size is a field that is a number of bytes: 1MiB or 1048576.
func (r *reader) size(o *object, name string, def int64) int64 {
	v := o.field(name)
	if v == nil {
		return def
	}
	n, err := parseSize(v.text)
	if v.kind != contracts.String && v.kind != contracts.Number || err != nil || n < 1 || n > maxExact {
		r.add(v, pointer(o.at, name), "size", "a size from 1 byte, such as 65536, 64KiB or 1MiB", v.show(), "units are KiB, MiB and GiB")
		return def
	}
	return n
}

func (r *reader) rangeOf(o *object, out *Partition) {
	before := len(r.list)
	out.From, out.To = o.integer("from", 0, -maxExact, maxExact), o.integer("to", 0, -maxExact, maxExact)
	out.Step = o.integer("step", 1, -maxExact, maxExact)
	out.PerShard = o.integer("per_shard", 1, 1, maxExact)
	if o.n.get("to") == nil {
		o.missing("to", "the number at which the range ends, itself not in it")
		return
	}
	if out.Step == 0 {
		r.add(o.n.get("step"), o.at+"/step", "range", "a step that is not 0", "0", "")
		return
	}
	if len(r.list) > before {
		return
	}
	count := out.Count()
	if count == 0 || count > MaxInputs {
		hint := fmt.Sprintf("from %d up to but not including %d by %d", out.From, out.To, out.Step)
		r.add(o.n, o.at, "shards", fmt.Sprintf("1 to %d numbers", MaxInputs), fmt.Sprintf("%d", count), hint)
	}
}

func (r *reader) itemsOf(o *object, out *Partition) {
	out.PerShard = o.integer("per_shard", 1, 1, maxExact)
	v := o.field("items")
	switch {
	case v == nil:
		o.missing("items", "a list of values")
	case v.kind != contracts.Array:
		r.add(v, o.at+"/items", "type", "a list of values", v.show(), "")
	case len(v.items) == 0:
		r.add(v, o.at+"/items", "shards", "at least one item", "none", "a stage without shards does nothing: leave it out")
	default:
		r.exact(v, o.at+"/items")
		buf := make([]byte, 0, 16*len(v.items))
		for _, item := range v.items {
			start := len(buf)
			next, err := jcs.Append(buf, item.appendJSON(nil))
			if err != nil {
				return // exact has said why
			}
			buf = next
			out.Items = append(out.Items, buf[start:len(buf):len(buf)])
		}
	}
}

// ParseRegroup reads the partition by which the inputs of shards that are there
// are grouped anew. Only by and per_shard count.
func ParseRegroup(raw []byte) (Partition, []Fault) {
	doc, list := parseDocument(raw)
	if doc == nil || len(list) > 0 {
		return Partition{}, list
	}
	r := &reader{kinds: map[string]*Kind{}}
	o := r.object(doc, "", "a partition such as {by: files, per_shard: 10}")
	p := Partition{PerShard: 1}
	by, at := o.str("by", "how: "+join(partitions()), true)
	p.By = by
	switch {
	case at == nil:
	case by == ByBytes:
		p.PerShard = r.size(o, "per_shard", DefaultBytes)
	case by == ByLines:
		p.PerShard = o.integer("per_shard", DefaultLines, 1, maxExact)
	case contains(partitions(), by):
		p.PerShard = o.integer("per_shard", 1, 1, maxExact)
	default:
		r.unknownPartition(o, at)
	}
	for _, name := range []string{"glob", "input", "from", "to", "step", "items", "of"} {
		o.field(name)
	}
	o.done("a partition")
	return p, SortFaults(r.list)
}
