package plan

import (
	"fmt"
	"strings"

	"stigmergy/contracts"
)

// argv is one argument of a job and where it was written.
type argv struct {
	text string
	n    *node
	at   string
}

// job puts a stage's spec into its kind's command. {spec.NAME} is a member's
// text ({spec.a.b} descends), {spec} the whole spec as JSON; where it stands
// alone and is a list, each element is an argument. An argument with a member
// that the spec does not hold is left out.
func (r *reader) job(s *Draft, k *Kind, spec *node) {
	for _, arg := range k.Command {
		s.argvs = append(s.argvs, fill(s, arg, spec)...)
	}
	for i, a := range s.argvs {
		s.Job.Argv = append(s.Job.Argv, a.text)
		if hasNUL(a.text) || i == 0 && a.text == "" {
			r.add(a.n, a.at, "argv", "arguments without NUL, the first of them a command", quoted(a.text), "")
		}
	}
	if len(k.Command) > 0 && len(s.Job.Argv) == 0 {
		r.add(spec, s.at+"/spec", "argv", "a spec from which the kind makes a command", "none", "")
	}
	s.Job.Stdin, s.Job.Env = k.Stdin, k.Env
	if k.Kind != Exec {
		return
	}
	if v := spec.get("stdin"); v != nil {
		s.Job.Stdin = v.text == "true"
	}
	env := spec.get("env")
	if env == nil {
		return
	}
	s.Job.Env = map[string]string{}
	for _, m := range env.members {
		s.Job.Env[m.name] = m.value.text
		if !envName(m.name) || hasNUL(m.value.text) {
			r.add(m.at, pointer(s.at+"/spec/env", m.name), "env", "NAME: \"text\"; a name has letters, digits and _", quoted(m.name), "")
		}
	}
}

// fill puts the spec into one argument of a command.
func fill(s *Draft, arg string, spec *node) []argv {
	at := s.at + "/kind"
	if path, ok := specName(arg); ok && arg == "{"+path+"}" {
		v := descend(spec, path)
		if v == nil {
			return nil
		}
		where := s.at + "/" + strings.ReplaceAll(path, ".", "/")
		if v.kind != contracts.Array {
			return []argv{{argText(v), v, where}}
		}
		var out []argv
		for i, item := range v.items {
			out = append(out, argv{argText(item), item, index(where, i)})
		}
		return out
	}
	var b strings.Builder
	for arg != "" {
		open := strings.IndexByte(arg, '{')
		if open < 0 {
			break
		}
		b.WriteString(arg[:open])
		arg = arg[open:]
		path, ok := specName(arg)
		if !ok {
			b.WriteByte('{')
			arg = arg[1:]
			continue
		}
		v := descend(spec, path)
		if v == nil {
			return nil
		}
		b.WriteString(argText(v))
		arg = arg[len(path)+2:]
	}
	b.WriteString(arg)
	return []argv{{b.String(), s.n.find("/kind"), at}}
}

// specName is the name in the {spec…} that text begins with.
func specName(text string) (string, bool) {
	end := strings.IndexByte(text, '}')
	if end < 0 || !strings.HasPrefix(text, "{spec") || text[5] != '}' && text[5] != '.' {
		return "", false
	}
	return text[1:end], true
}

func descend(spec *node, path string) *node {
	_, path, more := strings.Cut(path, ".")
	for name := ""; more && spec != nil; {
		name, path, more = strings.Cut(path, ".")
		spec = spec.get(name)
	}
	return spec
}

func argText(n *node) string {
	if n.kind == contracts.Object || n.kind == contracts.Array {
		return string(n.appendJSON(nil))
	}
	return n.text
}

// placeholderNames are what stands in braces in an argument of a shard's command.
func placeholderNames() []string {
	return []string{"input", "inputs", "plan_id", "stage_id", "cas_id", "index", "item"}
}

// placeholders holds the arguments of a stage against its partition.
func (r *reader) placeholders(s *Draft) {
	for _, a := range s.argvs {
		for rest := a.text; ; {
			_, after, ok := strings.Cut(rest, "{")
			if !ok {
				break
			}
			rest = after
			name, _, ok := strings.Cut(after, "}")
			if !ok || len(name) > 16 || name == "" || strings.ContainsFunc(name, notWord) {
				continue
			}
			r.placeholder(s, a, name)
		}
	}
}

func notWord(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-')
}

func (r *reader) placeholder(s *Draft, a argv, name string) {
	p := s.Partition
	items := p.items()
	expected, hint := "", ""
	switch {
	case name == "inputs" && a.text != "{inputs}":
		expected, hint = "{inputs} as an argument of its own", "it becomes as many arguments as the shard has inputs"
	case name == "input" && p.By == ByOne && len(p.Globs) == 0:
		expected, hint = "a partition whose shards have a file", "partition {by: one} has an input only with a glob"
	case name == "input" && p.PerShard > 1 && (p.By == ByFiles || p.By == ByOutputs || items):
		expected, hint = "{inputs}: a shard has more than one", fmt.Sprintf("or per_shard: 1; it is %d", p.PerShard)
	case name == "item" && p.By != "" && !items:
		expected, hint = "a partition by items or range", "{input} is a shard's file"
	case name == "item" && p.PerShard > 1:
		expected, hint = "{inputs}: a shard has more than one item", fmt.Sprintf("or per_shard: 1; it is %d", p.PerShard)
	case !contains(placeholderNames(), name):
		near := ""
		for _, known := range placeholderNames() {
			if distance(plainName(name), plainName(known)) <= 1 {
				near = known
			}
		}
		if near == "" {
			return // braces of somebody else's language, such as awk's
		}
		expected, hint = "a placeholder that there is", "did you mean {"+near+"}?"
	default:
		return
	}
	r.add(a.n, a.at, "placeholder", expected, quoted(a.text), hint)
}

// plainName is a name without case and separators.
func plainName(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// Ambiguous is the fault of {input} in a stage whose shard turned out to have
// n inputs.
func (s *Draft) Ambiguous(n int) (Fault, bool) {
	for _, a := range s.argvs {
		if strings.Contains(a.text, "{input}") {
			f := Fault{Pointer: a.at, Keyword: "placeholder", Expected: "{inputs}: the shard has more than one", Got: quoted(a.text), Hint: fmt.Sprintf("the glob finds %d files", n)}
			if a.n != nil {
				f.Line, f.Column = a.n.line, a.n.column
			}
			return f, true
		}
	}
	return Fault{}, false
}

// UsesItem tells whether the stage's command has {item}.
func (s *Draft) UsesItem() bool {
	for _, a := range s.argvs {
		if strings.Contains(a.text, "{item}") {
			return true
		}
	}
	return false
}
