package contracts

import (
	"fmt"
	"regexp"
	"strings"

	"stigmergy/contracts/schema"
)

// ExportZod writes the topics as Zod schemas, for version 3 and 4: one for each
// topic's data, and the map events of whole events by topic. What Zod cannot say
// (that a timestamp agrees with the event's time) is left out; all else refuses and
// accepts what the contracts do. The same topics give the same bytes.
//
//	import { events } from "./board.mjs";
//	events["hxo.shard.done"].parse(JSON.parse(line));
func ExportZod(topics []*Topic) []byte {
	var w codeWriter
	w.line("// Made by `stigmergy contracts export --format zod` from the contracts. Do not edit.")
	w.line(`import { z } from "zod";`)
	w.line("")
	w.WriteString(zodHelpers)
	names := typeNames(topics)
	for _, t := range topics {
		w.line("")
		w.line("/** %s: %s. */", t.Name, comment(t.Title))
		w.line("export const %s = %s;", names[t.Name], zodTopic(t))
	}
	w.line("")
	w.line("/** Whole events, by topic. */")
	w.line("export const events = {")
	for _, t := range topics {
		data := names[t.Name]
		if !t.needsData() {
			data += ".optional()"
		}
		w.line("  %s: event(%s, %s),", quoteJS(t.Name), quoteJS(t.Name), data)
	}
	w.line("};")
	return []byte(w.String())
}

// zodHelpers are what the schemas below them are made with. Formats are the
// checker's own, word for word: Zod's differ from version to version.
const zodHelpers = `const kind = (v) => (v === null ? "null" : Array.isArray(v) ? "array" : typeof v);
const chars = (s) => [...s].length;
const ok = (schema, v) => schema.safeParse(v).success;
const hits = (schemas, v) => schemas.filter((s) => ok(s, v)).length;
const present = z.unknown().refine((v) => v !== undefined, "required");
const uuid = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const clock = "([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
const time = new RegExp("^" + clock + "$");
const dateTime = new RegExp("^[0-9]{4}-[0-9]{2}-[0-9]{2}[tT]" + clock + "$");
const day = (s) => {
  const [y, m, d] = s.slice(0, 10).split("-").map(Number);
  const leap = y % 4 === 0 && (y % 100 !== 0 || y % 400 === 0);
  return m >= 1 && m <= 12 && d >= 1 && d <= [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m - 1];
};
const formats = {
  "uuid": (s) => uuid.test(s),
  "time": (s) => time.test(s),
  "date": (s) => /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(s) && day(s),
  "date-time": (s) => dateTime.test(s) && day(s),
};
const event = (type, data) =>
  z.object({
    specversion: z.literal("1.0").optional(),
    id: z.string().optional(),
    source: z.string().optional(),
    type: z.literal(type),
    subject: z.string().optional(),
    time: z.string().refine(formats["date-time"], "date-time").optional(),
    data,
  }).passthrough();
`

// zodTopic writes a topic's data: the built-in contract, and the board's beside it.
func zodTopic(t *Topic) string {
	g := zodGen{root: t.checks[0].Text()}
	out := g.of(g.root, "", 0)
	for _, s := range t.checks[1:] {
		g.root = s.Text()
		out += ".refine((v) => ok(" + g.of(g.root, "", 0) + ", v), \"the board's contract\")"
	}
	return out
}

// zodGen writes Zod schemas.
type zodGen struct{ root *schema.Value }

// of writes a schema: what its type says, then what is asked in place.
func (g *zodGen) of(v *schema.Value, indent string, depth int) string {
	switch {
	case depth > maxTypeDepth || v.Kind == schema.Bool && v.Bool:
		return "z.unknown()"
	case v.Kind != schema.Object:
		return "z.never()"
	}
	return g.base(v, indent, depth) + g.inPlace(v, indent, depth)
}

func (g *zodGen) base(v *schema.Value, indent string, depth int) string {
	if c := v.Get("const"); c != nil {
		return zodLiterals([]*schema.Value{c})
	}
	if e := v.Get("enum"); e != nil {
		return zodLiterals(e.Items)
	}
	types := v.Strings("type")
	if s := v.Str("type"); s != "" {
		types = []string{s}
	}
	if len(types) == 0 {
		return g.untyped(v, indent, depth)
	}
	var parts []string
	for _, name := range types {
		parts = append(parts, g.typed(name, v, indent, depth))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "z.union([" + strings.Join(parts, ", ") + "])"
}

func zodLiterals(items []*schema.Value) string {
	words := true
	var parts []string
	for _, v := range items {
		if v.Kind == schema.Array || v.Kind == schema.Object {
			return "z.unknown()"
		}
		words = words && v.Kind == schema.String
		parts = append(parts, literalType(v))
	}
	switch {
	case len(parts) == 0:
		return "z.never()"
	case len(parts) == 1:
		return "z.literal(" + parts[0] + ")"
	case words:
		return "z.enum([" + strings.Join(parts, ", ") + "])"
	}
	return "z.union([z.literal(" + strings.Join(parts, "), z.literal(") + ")])"
}

// The keywords that say something about values of one type only.
var typeKeywords = []struct {
	kind  string
	words []string
}{
	{"string", []string{"minLength", "maxLength", "pattern", "format"}},
	{"number", []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	{"array", []string{"items", "prefixItems", "minItems", "maxItems"}},
	{"object", []string{"properties", "required", "additionalProperties", "minProperties", "maxProperties"}},
}

// untyped asks a type's keywords of that type's values and lets all others pass.
func (g *zodGen) untyped(v *schema.Value, indent string, depth int) string {
	out := "z.unknown()"
	for _, k := range typeKeywords {
		for _, word := range k.words {
			if v.Get(word) != nil {
				out += fmt.Sprintf(".refine((v) => kind(v) !== %q || ok(%s, v))", k.kind, g.typed(k.kind, v, indent, depth))
				break
			}
		}
	}
	return out
}

func (g *zodGen) typed(name string, v *schema.Value, indent string, depth int) string {
	switch name {
	case "string":
		return zodString(v)
	case "integer":
		return "z.number().refine(Number.isInteger, \"integer\")" + zodBounds(v)
	case "number":
		return "z.number()" + zodBounds(v)
	case "array":
		return g.array(v, indent, depth)
	case "object":
		return g.object(v, indent, depth)
	}
	return "z." + name + "()" // boolean, null
}

func zodString(v *schema.Value) string {
	out := "z.string()"
	if n := v.Get("minLength"); n != nil {
		out += fmt.Sprintf(".refine((s) => chars(s) >= %s, \"minLength %[1]s\")", n.Text)
	}
	if n := v.Get("maxLength"); n != nil {
		out += fmt.Sprintf(".refine((s) => chars(s) <= %s, \"maxLength %[1]s\")", n.Text)
	}
	if p := v.Str("pattern"); p != "" && !onlyRE2.MatchString(p) {
		out += fmt.Sprintf(".refine((s) => new RegExp(%s, %q).test(s), %[1]s)", quoteJS(p), regexpFlags(p))
	}
	switch f := v.Str("format"); f {
	case "uuid", "time", "date", "date-time":
		out += fmt.Sprintf(".refine(formats[%q], %[1]q)", f)
	}
	return out
}

// onlyRE2 finds what JavaScript's expressions do not have; such a pattern is left out.
var onlyRE2 = regexp.MustCompile(`\(\?[^:]|\\[AzQECpP]|\[\[:`)

// regexpFlags asks for whole characters where the pattern allows it: with u,
// JavaScript refuses needless escapes.
func regexpFlags(pattern string) string {
	if regexp.MustCompile(`\\[^\^$\\.*+?()\[\]{}|/dDwWsSbBnrtfv0xuc]`).MatchString(pattern) {
		return ""
	}
	return "u"
}

func zodBounds(v *schema.Value) (out string) {
	for _, k := range [][2]string{{"minimum", ">="}, {"maximum", "<="}, {"exclusiveMinimum", ">"}, {"exclusiveMaximum", "<"}} {
		if n := v.Get(k[0]); n != nil {
			out += fmt.Sprintf(".refine((n) => n %s %s, \"%s %[2]s\")", k[1], n.Text, k[0])
		}
	}
	if n := v.Get("multipleOf"); n != nil {
		out += fmt.Sprintf(".refine((n) => Number.isInteger(n / %s), \"multipleOf %[1]s\")", n.Text)
	}
	return out
}

func (g *zodGen) array(v *schema.Value, indent string, depth int) string {
	items := "z.unknown()"
	prefix := v.Get("prefixItems")
	if i := v.Get("items"); i != nil && prefix == nil {
		items = g.of(i, indent, depth+1)
	}
	out := "z.array(" + items + ")"
	if n := v.Get("minItems"); n != nil {
		out += fmt.Sprintf(".refine((a) => a.length >= %s, \"minItems %[1]s\")", n.Text)
	}
	if n := v.Get("maxItems"); n != nil {
		out += fmt.Sprintf(".refine((a) => a.length <= %s, \"maxItems %[1]s\")", n.Text)
	}
	if prefix == nil {
		return out
	}
	rest := "z.unknown()"
	if i := v.Get("items"); i != nil {
		rest = g.of(i, indent, depth+1)
	}
	var parts []string
	for _, p := range prefix.Items {
		parts = append(parts, g.of(p, indent, depth+1))
	}
	return out + fmt.Sprintf(".refine((a) => a.every((v, i) => ok([%s][i] ?? %s, v)), \"items\")", strings.Join(parts, ", "), rest)
}

func (g *zodGen) object(v *schema.Value, indent string, depth int) string {
	var b strings.Builder
	required := v.Strings("required")
	named := []string{}
	if p := v.Get("properties"); p != nil {
		for _, m := range p.Members {
			named = append(named, m.Name)
			fmt.Fprintf(&b, "%s  %s: %s,\n", indent, propertyKey(m.Name), g.property(m, contains(required, m.Name), indent+"  ", depth))
		}
	}
	extra := v.Get("additionalProperties")
	for _, name := range required {
		if !contains(named, name) {
			fmt.Fprintf(&b, "%s  %s: %s,\n", indent, propertyKey(name), g.property(schema.Member{Name: name, Value: orAny(extra)}, true, indent+"  ", depth))
		}
	}
	out := "z.object({})"
	if b.Len() > 0 {
		out = "z.object({\n" + b.String() + indent + "})"
	}
	switch {
	case extra == nil || extra.Kind == schema.Bool && extra.Bool:
		out += ".passthrough()"
	case extra.Kind == schema.Bool:
		out += ".strict()"
	default:
		out += ".catchall(" + g.of(extra, indent, depth+1) + ")"
	}
	for _, k := range [][2]string{{"minProperties", ">="}, {"maxProperties", "<="}} {
		if n := v.Get(k[0]); n != nil {
			out += fmt.Sprintf(".refine((o) => Object.keys(o).length %s %s, \"%s %[2]s\")", k[1], n.Text, k[0])
		}
	}
	return out
}

// property writes a member's schema. To Zod a member that may be anything may also
// be missing.
func (g *zodGen) property(m schema.Member, required bool, indent string, depth int) string {
	s := g.of(m.Value, indent, depth+1)
	switch {
	case !required:
		return s + ".optional()"
	case strings.HasPrefix(s, "z.unknown()"):
		return "present" + strings.TrimPrefix(s, "z.unknown()")
	}
	return s
}

func orAny(v *schema.Value) *schema.Value {
	if v == nil {
		return &schema.Value{Kind: schema.Bool, Bool: true}
	}
	return v
}

// propertyKey is propertyName where a value is made: there __proto__ is not a name.
func propertyKey(s string) string {
	if s == "__proto__" {
		return `["__proto__"]`
	}
	return propertyName(s)
}

// inPlace writes what other schemas ask of the same value.
func (g *zodGen) inPlace(v *schema.Value, indent string, depth int) (out string) {
	sub := func(v *schema.Value) string { return g.of(v, indent, depth+1) }
	refine := func(format string, args ...any) { out += ".refine((v) => " + fmt.Sprintf(format, args...) + ")" }
	if to := target(g.root, v.Get("$ref")); to != nil {
		refine("ok(%s, v)", sub(to))
	}
	for _, k := range [][2]string{{"allOf", "=== all"}, {"anyOf", "> 0"}, {"oneOf", "=== 1"}} {
		list := v.Get(k[0])
		if list == nil {
			continue
		}
		test := strings.Replace(k[1], "all", fmt.Sprint(len(list.Items)), 1)
		var parts []string
		for _, item := range list.Items {
			parts = append(parts, sub(item))
		}
		refine("hits([%s], v) %s", strings.Join(parts, ", "), test)
	}
	if n := v.Get("not"); n != nil {
		refine("!ok(%s, v)", sub(n))
	}
	if cond := v.Get("if"); cond != nil {
		refine("ok(%s, v) ? ok(%s, v) : ok(%s, v)", sub(cond), sub(orAny(v.Get("then"))), sub(orAny(v.Get("else"))))
	}
	return out
}
