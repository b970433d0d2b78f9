package contracts

import (
	"strconv"
	"strings"
)

// Checker decides whether a line is an event: the line itself, its envelope and
// its topic's contract. Who may write what is Policy's matter. A Checker may be
// used by many goroutines once its fields are set.
type Checker struct {
	Registry      *Registry
	MaxLine       int    // bytes; 0 means no limit
	UnknownTopics string // "accept" (and "") or "quarantine"
}

// Check fills ev from a line (without its LF), or says why the line is refused.
// What is looked at, in this order: the length, what Scan looks at, that the
// type is a topic's name, that the time is RFC 3339, that the topic is known
// where it must be, the other attributes and the topic's contract. It leaves
// where the event stands (Pos, Seq, LineNo, JournalTime) as it is.
func (c *Checker) Check(line []byte, ev *Event) *Refusal {
	ev.Topic, ev.TopicName, ev.timeIs = nil, "", timeUnread
	if c.MaxLine > 0 && len(line) > c.MaxLine {
		ev.Line, ev.Env = nil, Envelope{}
		return tooLong(len(line), int64(c.MaxLine))
	}
	ev.Line = trimLine(line)
	if r := Scan(ev.Line, &ev.Env); r != nil {
		if n := bomLen(line); n > 0 { // offsets are told in the line as it stands
			r = explain(line)
		}
		return r
	}
	if !ev.Env.Type.IsString(ev.Line) || !ValidTopic(ev.Env.Type.TextBytes(ev.Line)) {
		return c.badTopic(ev)
	}
	if r := c.topic(ev); r != nil {
		return r
	}
	return checkFields(ev)
}

// topic sets the event's topic and time.
func (c *Checker) topic(ev *Event) *Refusal {
	name := ev.Env.Type.TextBytes(ev.Line)
	if c.Registry != nil {
		ev.Topic = c.Registry.Topic(name)
	}
	if ev.Topic != nil {
		ev.TopicName = ev.Topic.Name
	} else {
		ev.TopicName = string(name)
	}
	if r := readTime(ev); r != nil {
		return r
	}
	if ev.Topic == nil && c.UnknownTopics == "quarantine" {
		return c.unknownTopic(ev)
	}
	return nil
}

// readTime reads the line's own time into the event.
func readTime(ev *Event) *Refusal {
	ev.timeIs = timeAbsent
	t := ev.Env.Time
	if !t.Present() || t.isNull(ev.Line) {
		return nil
	}
	text := t.TextBytes(ev.Line)
	if t.IsString(ev.Line) {
		if ns, ok := ParseTime(text); ok {
			ev.time, ev.timeIs = ns, timeRead
			return nil
		}
	}
	r := refuse(ReasonBadTime, FieldError{
		Pointer: "/time", Keyword: "format", Expected: "an RFC 3339 time, as 2026-01-26T00:00:00Z",
		Got: quote(string(text)), Hint: timeHint(text),
	})
	r.Topic = ev.TopicName
	return r
}

// checkFields looks at the other attributes and at the contract.
func checkFields(ev *Event) *Refusal {
	var errs []FieldError
	if !plainAttributes(ev) {
		errs = attributeErrors(ev)
	}
	if ev.Topic != nil {
		errs = append(errs, ev.Topic.Check(ev.Line, &ev.Env)...)
	}
	if len(errs) == 0 {
		return nil
	}
	r := refuse(ReasonContract, errs[:min(len(errs), MaxErrors)]...)
	r.Topic, r.Contract = ev.TopicName, "cloudevents"
	if ev.Topic != nil {
		r.Contract = ev.Topic.Name
	}
	return r
}

// plainAttributes is the quick yes of attributeErrors.
func plainAttributes(ev *Event) bool {
	line, env := ev.Line, &ev.Env
	return (!env.SpecVersion.Present() || string(env.SpecVersion.Raw(line)) == `"1.0"`) &&
		plainText(env.ID, line) && plainText(env.Source, line) && plainText(env.Subject, line)
}

func plainText(s Span, line []byte) bool {
	return !s.Present() || s.End-s.Off > 2 && line[s.Off] == '"'
}

// attributeErrors tells which attributes are not as CloudEvents has them. One
// that is null counts as missing.
func attributeErrors(ev *Event) (errs []FieldError) {
	for _, a := range []struct {
		name string
		span Span
	}{{"id", ev.Env.ID}, {"source", ev.Env.Source}, {"subject", ev.Env.Subject}} {
		if plainText(a.span, ev.Line) || a.span.isNull(ev.Line) {
			continue
		}
		e := FieldError{Pointer: "/" + a.name, Keyword: "type", Expected: "a string", Got: foundValue(a.span, ev.Line)}
		if a.span.IsString(ev.Line) {
			e.Keyword, e.Expected, e.Hint = "minLength", "at least one character", "leave it out rather than empty"
		}
		errs = append(errs, e)
	}
	v := ev.Env.SpecVersion
	if v.Present() && !v.isNull(ev.Line) && !(v.IsString(ev.Line) && v.Text(ev.Line) == "1.0") {
		errs = append(errs, FieldError{
			Pointer: "/specversion", Keyword: "const", Expected: `"1.0"`, Got: foundValue(v, ev.Line),
			Hint: "leave it out, or write it as a string",
		})
	}
	return errs
}

// foundValue shows a value for a message.
func foundValue(s Span, line []byte) string {
	raw := s.Raw(line)
	if s.IsString(line) {
		return quote(s.Text(line))
	}
	return kindOf(raw[0]).String() + " " + clip(string(raw))
}

// badTopic says what is wrong with the type.
func (c *Checker) badTopic(ev *Event) *Refusal {
	s := ev.Env.Type
	e := FieldError{Pointer: ev.Env.typePointer(), Keyword: "pattern", Expected: "a topic's name: lower-case words of a-z 0-9 _ - with dots between, at most " +
		strconv.Itoa(MaxTopic) + " bytes"}
	switch {
	case !s.Present() || s.isNull(ev.Line):
		e.Keyword, e.Got = "required", "no type"
		e.Hint = `an event names its topic: {"type":"build.done","data":{"ok":true}}`
	case !s.IsString(ev.Line):
		e.Keyword, e.Got = "type", foundValue(s, ev.Line)
	default:
		name := s.Text(ev.Line)
		e.Got, e.Hint = quote(name), c.topicHint(name)
	}
	return refuse(ReasonBadTopic, e)
}

// topicHint proposes a name for one that is none.
func (c *Checker) topicHint(name string) string {
	if len(name) > MaxTopic {
		return "it has " + strconv.Itoa(len(name)) + " bytes"
	}
	fixed := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r < 0x80 && (topicByte(byte(r)) || r == '.'):
			return r
		case r == '/' || r == ':':
			return '.'
		}
		return '_'
	}, strings.ToLower(name)), "._-")
	if !ValidTopic([]byte(fixed)) {
		return ""
	}
	if near := c.closest(fixed); near != "" {
		fixed = near
	}
	return "did you mean " + fixed + "?"
}

// unknownTopic refuses a topic without contract.
func (c *Checker) unknownTopic(ev *Event) *Refusal {
	e := FieldError{
		Pointer: ev.Env.typePointer(), Keyword: "enum",
		Expected: "a topic with a contract (unknown_topics: quarantine)", Got: quote(ev.TopicName),
		Hint: "give it a contract in contracts/" + ev.TopicName + ".schema.json; stigmergy topics lists the known ones",
	}
	if near := c.closest(ev.TopicName); near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	r := refuse(ReasonBadTopic, e)
	r.Topic = ev.TopicName
	return r
}

// closest is the known topic whose name is nearest to name, "" when none is
// near.
func (c *Checker) closest(name string) string {
	if c.Registry == nil {
		return ""
	}
	return c.Registry.Closest(name)
}
