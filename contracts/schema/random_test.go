package schema

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// What follows draws schemas over the compiled keywords, and values that have a
// fair chance of meeting them: names, words and numbers come from small stocks,
// written in all the ways that JSON has.

var names = []string{"a", "b", "plan_id", "cas_id", "é", `q"t`, ""}

func drawSchema(t *rapid.T, depth int) string {
	switch rapid.IntRange(0, 11).Draw(t, "schema") {
	case 0:
		return rapid.SampledFrom([]string{"true", "false", "{}"}).Draw(t, "trivial")
	case 1:
		if depth > 0 {
			return `{"$ref":"#/$defs/` + rapid.SampledFrom([]string{"x", "y"}).Draw(t, "ref") + `"}`
		}
	}
	var parts []string
	for range rapid.IntRange(1, 3).Draw(t, "keywords") {
		parts = append(parts, drawKeyword(t, depth))
	}
	return "{" + strings.Join(once(parts), ",") + "}"
}

// once keeps the first of each keyword: schemas have none twice.
func once(parts []string) (out []string) {
	seen := map[string]bool{}
	for _, p := range parts {
		k, _, _ := strings.Cut(p, ":")
		if k == `"const"` {
			k = `"enum"`
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, p)
		}
	}
	return out
}

var types = []string{"null", "boolean", "integer", "number", "string", "array", "object"}

func drawKeyword(t *rapid.T, depth int) string {
	small := func() int { return rapid.IntRange(0, 3).Draw(t, "small") }
	most := 8
	if depth > 0 {
		most = 17
	}
	switch rapid.IntRange(0, most).Draw(t, "keyword") {
	case 0:
		return fmt.Sprintf(`"type":%q`, rapid.SampledFrom(types).Draw(t, "type"))
	case 1:
		return fmt.Sprintf(`"type":[%q,%q]`, types[small()], types[3+small()])
	case 2:
		return fmt.Sprintf(`"enum":[%s,%s]`, drawValue(t, 1), drawValue(t, 0))
	case 3:
		return `"const":` + drawValue(t, 1)
	case 4:
		return fmt.Sprintf(`%q:%d`, rapid.SampledFrom([]string{"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}).Draw(t, "count"), small())
	case 5:
		return fmt.Sprintf(`%q:%s`, rapid.SampledFrom([]string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}).Draw(t, "bound"), drawNumber(t))
	case 6:
		return `"multipleOf":` + rapid.SampledFrom([]string{"1", "2", "0.1", "0.01", "3e2", "7", "1e-3"}).Draw(t, "of")
	case 7:
		return fmt.Sprintf(`"pattern":%q`, rapid.SampledFrom([]string{"^[0-9a-f]{4}$", "^a+$", "^[a-z]{1,3}$", "b", "^ab-[0-9]$", "^é*$", "^(a|bc)$", "^[^x]$", ""}).Draw(t, "pattern"))
	case 8:
		return fmt.Sprintf(`"format":%q`, rapid.SampledFrom([]string{"date-time", "uuid", "date", "time", "none"}).Draw(t, "format"))
	case 9, 10, 11:
		return fmt.Sprintf(`"properties":{%q:%s,%q:%s}`, names[small()], drawSchema(t, depth-1), names[3+small()], drawSchema(t, depth-1))
	case 12:
		return fmt.Sprintf(`"required":[%q]`, rapid.SampledFrom(names).Draw(t, "name"))
	case 13:
		return `"additionalProperties":` + drawSchema(t, depth-1)
	case 14:
		return `"items":` + drawSchema(t, depth-1)
	case 15:
		return fmt.Sprintf(`"prefixItems":[%s,%s]`, drawSchema(t, depth-1), drawSchema(t, depth-1))
	case 16:
		return fmt.Sprintf(`%q:[%s,%s]`, rapid.SampledFrom([]string{"allOf", "anyOf", "oneOf"}).Draw(t, "of"), drawSchema(t, depth-1), drawSchema(t, depth-1))
	}
	return fmt.Sprintf(`%q:%s`, rapid.SampledFrom([]string{"not", "if", "then", "else"}).Draw(t, "cond"), drawSchema(t, depth-1))
}

func drawNumber(t *rapid.T) string {
	return rapid.SampledFrom([]string{"0", "-0", "1", "2", "-1", "3", "1.0", "1.5", "10", "1e1", "0.1e2", "100e-1", "1e-2",
		"0.10", "0.3", "9007199254740993", "9007199254740992.5", "18446744073709551616", "-1E+3", "0e99", "0.0000001", "1e120",
		"123456789012345678901234567890", "999999999999999999", "9999999999999999990e-1"}).Draw(t, "number")
}

func drawString(t *rapid.T) string {
	return rapid.SampledFrom([]string{`""`, `"a"`, `"aaa"`, `"bc"`, `"ab-7"`, `"12ef"`, `"12EF"`, `"\u0061"`, `"\u00e9"`, `"é"`, `"éé"`,
		`"😀"`, `"\ud83d\ude00x"`, `"q\"t"`, `"a\nb"`, `"\\"`, `"2026-01-29T02:31:13Z"`, `"2026-02-29"`, `"23:59:60Z"`,
		`"0b6b1c1e-7f5a-4b1e-9c3d-2f4a5b6c7d8e"`, `"\u0062"`, `"plan_id"`}).Draw(t, "string")
}

func drawName(t *rapid.T) string {
	if rapid.IntRange(0, 5).Draw(t, "written") == 0 {
		return rapid.SampledFrom([]string{`"\u0061"`, `"plan\u005fid"`, `"q\"t"`, `"\u00e9"`, `"zz"`}).Draw(t, "escaped")
	}
	return fmt.Sprintf("%q", rapid.SampledFrom(names).Draw(t, "name"))
}

func drawSpace(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "\n\t"}).Draw(t, "space")
}

func drawValue(t *rapid.T, depth int) string {
	most := 6
	if depth <= 0 {
		most = 4
	}
	switch rapid.IntRange(0, most).Draw(t, "value") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "literal")
	case 1, 2:
		return drawNumber(t)
	case 3, 4:
		return drawString(t)
	case 5:
		return "[" + drawList(t, func() string { return drawValue(t, depth-1) }) + "]"
	}
	return "{" + drawList(t, func() string {
		return drawName(t) + drawSpace(t) + ":" + drawSpace(t) + drawValue(t, depth-1)
	}) + "}"
}

func drawList(t *rapid.T, item func() string) string {
	var out []string
	for range rapid.IntRange(0, 4).Draw(t, "length") {
		out = append(out, drawSpace(t)+item()+drawSpace(t))
	}
	return strings.Join(out, ",")
}
