package contracts

import (
	"fmt"
	"regexp"
	"strings"

	"stigmergy/contracts/schema"
)

// ExportTypeScript writes the topics as TypeScript types: one for each topic's data,
// and the map from topics to them. The same topics give the same bytes.
//
//	import type { BoardEvent, HxoShardDone } from "./board";
func ExportTypeScript(topics []*Topic) []byte {
	var w codeWriter
	w.line("// Made by `stigmergy contracts export --format typescript` from the contracts. Do not edit.")
	w.line("")
	w.line("/** An event on the board: CloudEvents 1.0, of which only type must stand. */")
	w.line("export interface CloudEvent<T extends string, D> {")
	w.line(`  specversion?: "1.0";`)
	w.line("  id?: string;")
	w.line("  source?: string;")
	w.line("  type: T;")
	w.line("  subject?: string;")
	w.line("  /** RFC 3339 */")
	w.line("  time?: string;")
	w.line("  data?: D;")
	w.line("  [attribute: string]: unknown;")
	w.line("}")
	names := typeNames(topics)
	for _, t := range topics {
		w.line("")
		w.line("/** %s: %s. %s */", t.Name, comment(t.Title), comment(t.describe()))
		g := typeGen{roots: t.checks}
		w.line("export type %s = %s;", names[t.Name], g.topic())
	}
	w.line("")
	w.line("/** The data of each topic. */")
	w.line("export interface Topics {")
	for _, t := range topics {
		w.line("  %s: %s;", quoteJS(t.Name), names[t.Name])
	}
	w.line("}")
	w.line("")
	w.line("export type Topic = keyof Topics;")
	w.line("export type BoardEvent = { [T in Topic]: CloudEvent<T, Topics[T]> }[Topic];")
	return []byte(w.String())
}

// codeWriter writes lines of source.
type codeWriter struct{ strings.Builder }

func (w *codeWriter) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// comment keeps a text from ending the comment it stands in.
func comment(s string) string {
	return strings.TrimSuffix(strings.NewReplacer("*/", "* /", "\n", " ", "\r", " ").Replace(s), ".")
}

// typeNames gives each topic a name of its own; a.9 and a9 would come to the same.
func typeNames(topics []*Topic) map[string]string {
	out, taken := map[string]string{}, map[string]bool{}
	for _, t := range topics {
		name := typeName(t.Name)
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", typeName(t.Name), n)
		}
		taken[name] = true
		out[t.Name] = name
	}
	return out
}

// typeName is a topic as a type's name: hxo.shard.done is HxoShardDone.
func typeName(topic string) string {
	var b strings.Builder
	up := true
	for i := range len(topic) {
		switch c := topic[i]; {
		case c == '.':
			up = true
		case c == '_':
			b.WriteByte('_')
			up = true
		case c == '-':
			b.WriteString("$")
			up = true
		case up && 'a' <= c && c <= 'z':
			b.WriteByte(c - 'a' + 'A')
			up = false
		default:
			if b.Len() == 0 {
				b.WriteByte('T') // a topic may begin with a digit
			}
			b.WriteByte(c)
			up = false
		}
	}
	return b.String()
}

// quoteJS writes a JavaScript string: JSON's, with the two line ends that older
// JavaScript does not take in strings.
func quoteJS(s string) string {
	return strings.NewReplacer("\u2028", `\u2028`, "\u2029", `\u2029`).Replace(string(AppendString(nil, s)))
}

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

func propertyName(s string) string {
	if identifier.MatchString(s) {
		return s
	}
	return quoteJS(s)
}

// typeGen writes types.
type typeGen struct {
	roots []*schema.Schema
	root  *schema.Value
}

func (g *typeGen) topic() string {
	var parts []string
	for _, s := range g.roots {
		g.root = s.Text()
		parts = append(parts, g.of(g.root, "", 0))
	}
	return strings.Join(parts, " & ")
}

// maxTypeDepth is where a schema that refers to itself becomes unknown.
const maxTypeDepth = 12

func (g *typeGen) of(v *schema.Value, indent string, depth int) string {
	if depth > maxTypeDepth || v == nil || v.Kind == schema.Bool && v.Bool {
		return "unknown"
	}
	if v.Kind != schema.Object {
		return "never"
	}
	if to := target(g.root, v.Get("$ref")); to != nil {
		return g.of(to, indent, depth+1)
	}
	if c := v.Get("const"); c != nil {
		return literalType(c)
	}
	if e := v.Get("enum"); e != nil {
		return alternatives(e.Items, literalType)
	}
	for _, k := range []string{"anyOf", "oneOf"} {
		if list := v.Get(k); list != nil {
			return "(" + alternatives(list.Items, func(x *schema.Value) string { return g.of(x, indent, depth+1) }) + ")"
		}
	}
	return g.ofTypes(v, indent, depth)
}

func alternatives(items []*schema.Value, each func(*schema.Value) string) string {
	var parts []string
	for _, item := range items {
		if p := each(item); !contains(parts, p) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return "never"
	}
	return strings.Join(parts, " | ")
}

func literalType(v *schema.Value) string {
	switch v.Kind {
	case schema.String:
		return quoteJS(v.Text)
	case schema.Object, schema.Array:
		return "unknown"
	}
	return show(v)
}

func (g *typeGen) ofTypes(v *schema.Value, indent string, depth int) string {
	names := v.Strings("type")
	if s := v.Str("type"); s != "" {
		names = []string{s}
	}
	if len(names) == 0 && (v.Get("properties") != nil || v.Get("required") != nil) {
		names = []string{"object"}
	}
	var parts []string
	for _, name := range names {
		part := name
		switch name {
		case "integer":
			part = "number"
		case "array":
			part = "Array<" + g.of(v.Get("items"), indent, depth+1) + ">"
		case "object":
			part = g.object(v, indent, depth)
		}
		if !contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, " | ")
}

// object writes an object type; what is not named may be anything.
func (g *typeGen) object(v *schema.Value, indent string, depth int) string {
	var b strings.Builder
	b.WriteString("{\n")
	required := v.Strings("required")
	var named []string
	if p := v.Get("properties"); p != nil {
		for _, m := range p.Members {
			named = append(named, m.Name)
			mark := "?"
			if contains(required, m.Name) {
				mark = ""
			}
			if d := m.Value.Str("description"); d != "" {
				fmt.Fprintf(&b, "%s  /** %s */\n", indent, comment(d))
			}
			fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, propertyName(m.Name), mark, g.of(m.Value, indent+"  ", depth+1))
		}
	}
	for _, name := range required {
		if !contains(named, name) {
			fmt.Fprintf(&b, "%s  %s: unknown;\n", indent, propertyName(name))
		}
	}
	if x := v.Get("additionalProperties"); x == nil || x.Kind != schema.Bool || x.Bool {
		fmt.Fprintf(&b, "%s  [field: string]: unknown;\n", indent)
	}
	return b.String() + indent + "}"
}
