package contracts

import (
	"strings"

	"stigmergy/contracts/schema"
)

// Check holds a scanned line's data against the contract. It returns nil when all
// is well, without allocating; else at most MaxErrors errors, the same each time.
// A line without data has {}.
func (t *Topic) Check(line []byte, env *Envelope) []FieldError {
	data := noData
	if env.Data.Present() {
		data = env.Data.Raw(line)
	}
	var out []FieldError
	for _, s := range t.checks {
		if errs := s.Check(data); errs != nil {
			out = appendErrors(out, data, errs)
		}
	}
	if len(t.agree) > 0 && env.Time.IsString(line) {
		out = t.disagreements(out, line, data, env)
	}
	if len(out) > MaxErrors {
		return out[:MaxErrors]
	}
	return out
}

// CheckData is Check for data that stands in no line, and may be anything.
func (t *Topic) CheckData(data []byte) []FieldError {
	if !Valid(data) {
		return []FieldError{{Pointer: "/data", Keyword: "json", Expected: "a JSON value", Got: clip(string(data))}}
	}
	return t.Check(data, &Envelope{Data: Span{End: uint32(len(data))}})
}

// appendErrors puts a schema's findings in the line's terms; what the built-in and
// the board's contract both find is said once.
func appendErrors(out []FieldError, data []byte, errs []schema.Error) []FieldError {
	known := len(out)
	for _, e := range errs {
		f := FieldError{Pointer: "/data" + e.Pointer, Keyword: e.Keyword, Expected: e.Expected, Got: e.Got}
		f.Hint = contractHint(data, e)
		if !holds(out[:known], f) {
			out = append(out, f)
		}
	}
	return out
}

func holds(list []FieldError, f FieldError) bool {
	for _, o := range list {
		if o.Pointer == f.Pointer && o.Keyword == f.Keyword {
			return true
		}
	}
	return false
}

// disagreements compares the fields that must be the event's own time. They are
// compared as times: as many decimals as you like, in any zone.
func (t *Topic) disagreements(out []FieldError, line, data []byte, env *Envelope) []FieldError {
	text := env.Time.TextBytes(line)
	for _, name := range t.agree {
		v := Lookup(data, name)
		if v.Kind != String || string(v.TextBytes()) == string(text) {
			continue
		}
		own, ok1 := ParseTime(text)
		field, ok2 := ParseTime(v.TextBytes())
		if ok1 && ok2 && own != field {
			out = append(out, FieldError{
				Pointer: "/data/" + name, Keyword: "x-agrees-with",
				Expected: "the event's time, " + string(text), Got: clip(string(v.Raw)),
			})
		}
	}
	return out
}

// contractHint guesses at the slip behind an error.
func contractHint(data []byte, e schema.Error) string {
	text := strings.Trim(e.Got, `"`)
	quoted := len(e.Got) >= 2 && e.Got[0] == '"'
	switch e.Keyword {
	case "format":
		if quoted {
			return timeHint([]byte(text))
		}
	case "pattern":
		if quoted && strings.Contains(e.Expected, "lower-case") && strings.ToLower(text) != text {
			return "in lower case: " + strings.ToLower(text)
		}
	case "type":
		return typeHint(e, text, quoted)
	case "required":
		return requiredHint(data, e.Pointer)
	case "enum":
		return enumHint(e.Expected, text)
	}
	return ""
}

func typeHint(e schema.Error, text string, quoted bool) string {
	wantsNumber := strings.Contains(e.Expected, "number") || strings.Contains(e.Expected, "integer")
	switch {
	case quoted && wantsNumber && len(text) > 0 && scanNumber([]byte(text), 0) == len(text):
		return "without quotes: " + text
	case quoted && strings.Contains(e.Expected, "boolean") && (text == "true" || text == "false"):
		return "without quotes: " + text
	case !quoted && e.Got != "nothing" && e.Expected == "a string" && !strings.HasPrefix(e.Got, "an "):
		return `in quotes: "` + text + `"`
	}
	return ""
}

// requiredHint looks for a member that is spelt nearly like the missing one.
func requiredHint(data []byte, pointer string) string {
	at := strings.LastIndexByte(pointer, '/')
	if at != 0 {
		return ""
	}
	missing, hint := pointer[1:], ""
	Members(data, func(key []byte, _ Value) bool {
		if plainName(string(key)) == plainName(missing) {
			hint = "is it " + clip(string(key)) + "? The contract writes " + missing
		}
		return hint == ""
	})
	return hint
}

// plainName is a name without case and separators: planId and plan-id are plan_id.
func plainName(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// enumHint finds the word nearest to what stands there.
func enumHint(expected, text string) string {
	best, least := "", min(len(text)/3, 5)+1
	for _, w := range strings.Split(strings.TrimPrefix(expected, "one of "), ", ") {
		w = strings.Trim(w, `"`)
		if d := distance(strings.ToLower(text), w, least); d < least {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}
