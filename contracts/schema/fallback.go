package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// fallback checks by santhosh-tekuri/jsonschema: the whole standard, ten to a
// hundred times slower.
type fallback struct {
	schema *jsonschema.Schema
	mu     sync.Mutex // holds the budget: one check at a time
	budget *budget
}

// schemaURL is what the schema at hand is called: relative references become URLs
// beside it, and nothing is ever loaded from there.
const schemaURL = "contract:///schema.json"

// newFallback also checks the text against the standard's own schema.
func newFallback(text []byte, v *Value, opt options) (*fallback, error) {
	if at, ok := hugeNumber(v, ""); ok {
		return nil, faultAt(text, v.At(at).Offset, at, "a number with more than 400 digits or places")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.AppendJSON(nil)))
	if err != nil {
		return nil, faultAt(text, v.Offset, "", err.Error())
	}
	c, b := jsonschema.NewCompiler(), &budget{left: slowSteps(text)}
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(loader(opt.load))
	if opt.assertFormats {
		c.AssertFormat()
	}
	for _, name := range []string{"date-time", "date", "time", "uuid"} {
		c.RegisterFormat(ownFormat(name))
	}
	c.RegisterVocabulary(b.vocabulary())
	c.AssertVocabs()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, locate(text, v, err)
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		return nil, locate(text, v, err)
	}
	return &fallback{schema: s, budget: b}, nil
}

// loader refuses every file and URL, unless a test brings its own.
type loader func(url string) (any, error)

func (l loader) Load(url string) (any, error) {
	if l == nil {
		return nil, errors.New("references stay within the file")
	}
	return l(url)
}

// ownFormat makes the two checkers ask the same function.
func ownFormat(name string) *jsonschema.Format {
	f := formatOf(name)
	return &jsonschema.Format{Name: name, Validate: func(v any) error {
		if s, ok := v.(string); ok && !f.ok([]byte(s)) {
			return errors.New("not a " + name)
		}
		return nil
	}}
}

// locate finds where in the text a compile error is.
func locate(text []byte, v *Value, err error) error {
	pointer, msg := "", err.Error()
	var invalid *jsonschema.SchemaValidationError
	var regex *jsonschema.InvalidRegexError
	switch {
	case errors.As(err, &invalid):
		if cause := deepest(invalid.Err); cause != nil {
			pointer = pointerOf(cause.InstanceLocation)
			msg = "not a schema: " + cause.ErrorKind.LocalizedString(printer())
		}
	case errors.As(err, &regex):
		if _, at, ok := strings.Cut(regex.URL, "#"); ok {
			pointer = at
		}
		msg = fmt.Sprintf("pattern %q: %v", regex.Regex, regex.Err)
	}
	offset := v.Offset
	if at := v.At(pointer); at != nil {
		offset = at.Offset
	}
	return faultAt(text, offset, pointer, msg)
}

// deepest is the first leaf of a validation error, by place.
func deepest(err error) *jsonschema.ValidationError {
	var verr *jsonschema.ValidationError
	if !errors.As(err, &verr) {
		return nil
	}
	all := leaves(verr, nil)
	if len(all) == 0 {
		return nil
	}
	sort.SliceStable(all, func(i, j int) bool {
		a, b := pointerOf(all[i].InstanceLocation), pointerOf(all[j].InstanceLocation)
		if len(a) != len(b) {
			return len(a) > len(b)
		}
		return a < b
	})
	return all[0]
}

func leaves(err *jsonschema.ValidationError, out []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	_, name := err.ErrorKind.(*kind.PropertyNames) // what is below it is about the name alone
	if name || len(err.Causes) == 0 && err.ErrorKind != nil {
		return append(out, err)
	}
	for _, cause := range err.Causes {
		out = leaves(cause, out)
	}
	return out
}

func pointerOf(tokens []string) string {
	s := ""
	for _, t := range tokens {
		s = appendToken(s, t)
	}
	return s
}

func printer() *message.Printer { return message.NewPrinter(language.English) }

// check validates and puts what is found in order: the library walks maps.
func (f *fallback) check(data []byte) (out []Error) {
	doc, err := decode(data)
	if err != nil {
		return []Error{{"", "json", "a JSON value", err.Error()}}
	}
	err = f.validate(doc, slowSteps(data))
	if err == nil {
		return nil
	}
	var verr *jsonschema.ValidationError
	if !errors.As(err, &verr) {
		return tooMuch()
	}
	for _, leaf := range leaves(verr, nil) {
		out = append(out, convert(data, leaf)...)
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Pointer != out[j].Pointer {
			return out[i].Pointer < out[j].Pointer
		}
		if out[i].Keyword != out[j].Keyword {
			return out[i].Keyword < out[j].Keyword
		}
		return out[i].Expected < out[j].Expected
	})
	return out[:min(len(out), MaxErrors)]
}

// validate stops what the budget says is too much.
func (f *fallback) validate(doc document, steps int) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.budget.left = steps
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("checking by the schema library: %v", p)
		}
	}()
	return f.schema.Validate(doc.value)
}

// convert puts one finding in our words.
func convert(data []byte, leaf *jsonschema.ValidationError) []Error {
	at := pointerOf(leaf.InstanceLocation)
	e := Error{Pointer: at, Keyword: "schema", Expected: leaf.ErrorKind.LocalizedString(printer()), Got: describeAt(data, at)}
	if path := leaf.ErrorKind.KeywordPath(); len(path) > 0 {
		e.Keyword = path[0]
	}
	required, ok := leaf.ErrorKind.(*kind.Required)
	if !ok {
		return []Error{e}
	}
	var out []Error
	for _, name := range required.Missing {
		out = append(out, Error{appendToken(at, name), "required", "any value", "nothing"})
	}
	return out
}

// describeAt shows the value at a pointer.
func describeAt(data []byte, pointer string) string {
	i := skipSpace(data, 0)
	at := span{i, skipValue(data, i)}
	for pointer != "" && at.from < at.to {
		var token string
		token, pointer = cutToken(pointer)
		at = child(data, at, token)
	}
	return describe(data[at.from:at.to])
}

func child(data []byte, at span, token string) (found span) {
	switch data[at.from] {
	case '{':
		eachMember(data, at.from, func(name, value span) {
			if unquote(data[name.from:name.to]) == token {
				found = value
			}
		})
	case '[':
		n := 0
		eachItem(data, at.from, func(item span) {
			if fmt.Sprint(n) == token {
				found = item
			}
			n++
		})
	}
	return found
}

// document is a decoded value with tamed numbers.
type document struct{ value any }

func decode(data []byte) (document, error) {
	if !json.Valid(data) {
		return document{}, errors.New("something else")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return document{}, err
	}
	return document{tame(v)}, nil
}
