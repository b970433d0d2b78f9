package contracts

import (
	"bytes"
	"encoding/json"
	"strings"

	"stigmergy/contracts/schema"
)

// ExportAsyncAPI writes the topics as an AsyncAPI 3.0 document: a channel, a message
// and an operation each. The document is from the board's side: it sends what it
// publishes and receives what is asked of it. The same topics give the same bytes.
//
//	stigmergy contracts export --format asyncapi > asyncapi.json
func ExportAsyncAPI(topics []*Topic) []byte {
	channels, messages, operations := object(), object(), object()
	for _, t := range topics {
		put(channels, t.Name, object(
			"address", text(t.Name), "title", text(t.Title), "description", text(t.describe()),
			"messages", object("event", refTo("#/components/messages/"+t.Name))))
		put(messages, t.Name, object(
			"name", text(t.Name), "title", text(t.Title), "contentType", text("application/cloudevents+json"),
			"payload", t.eventSchema()))
		action := "send"
		if t.Direction == "subscribe" {
			action = "receive"
		}
		put(operations, action+"."+t.Name, object(
			"action", text(action), "channel", refTo("#/channels/"+t.Name), "summary", text(t.Title)))
	}
	doc := object(
		"asyncapi", text("3.0.0"),
		"info", object("title", text("stigmergy board"), "version", text("1.9.6n"),
			"description", text("Events on a stigmergy board: CloudEvents 1.0 in structured mode, one a line.")),
		"defaultContentType", text("application/cloudevents+json"),
		"channels", channels, "operations", operations,
		"components", object("messages", messages))
	return indented(doc)
}

// describe puts a topic's row of the event matrix in a sentence.
func (t *Topic) describe() string {
	parts := []string{}
	for _, p := range [][2]string{
		{"Producer: ", t.Producer}, {"Consumers: ", strings.Join(t.Consumers, ", ")},
		{"Frequency: ", t.Frequency}, {"Ordering: ", t.Ordering}, {"Only on lane ", t.Owner}, {"Usually on lane ", t.Lane},
	} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1]+".")
		}
	}
	return strings.Join(parts, " ")
}

// eventSchema is the schema of the whole event: the CloudEvents attributes, with
// the contract as data.
func (t *Topic) eventSchema() *schema.Value {
	str := func() *schema.Value { return object("type", text("string")) }
	required := list(text("type"))
	if t.needsData() {
		required.Items = append(required.Items, text("data"))
	}
	return object(
		"type", text("object"), "required", required,
		"properties", object(
			"specversion", object("const", text("1.0")), "id", str(), "source", str(),
			"type", object("const", text(t.Name)), "subject", str(),
			"time", object("type", text("string"), "format", text("date-time")),
			"data", t.dataSchema()))
}

// needsData tells whether an event without data is refused.
func (t *Topic) needsData() bool { return t.CheckData(noData) != nil }

// dataSchema is the contract as part of the document; with a board's own, both.
func (t *Topic) dataSchema() *schema.Value {
	at := "#/components/messages/" + t.Name + "/payload/properties/data"
	if len(t.checks) == 1 {
		return moved(t.checks[0].Text(), at)
	}
	return object("allOf", list(moved(t.checks[0].Text(), at+"/allOf/0"), moved(t.checks[1].Text(), at+"/allOf/1")))
}

// moved is a schema as part of a document: without $schema, and with its local
// references leading to where it stands now.
func moved(v *schema.Value, at string) *schema.Value {
	out := *v
	out.Members, out.Items = nil, nil
	for _, item := range v.Items {
		out.Items = append(out.Items, moved(item, at))
	}
	for _, m := range v.Members {
		switch m.Name {
		case "$schema":
			continue
		case "$ref":
			if pointer, local := strings.CutPrefix(m.Value.Text, "#"); local {
				m.Value = text(at + pointer)
			}
		case "enum", "const", "default", "examples":
		default:
			m.Value = moved(m.Value, at)
		}
		out.Members = append(out.Members, m)
	}
	return &out
}

// object makes an object of names and values in turn.
func object(pairs ...any) *schema.Value {
	v := &schema.Value{Kind: schema.Object}
	for i := 0; i+1 < len(pairs); i += 2 {
		put(v, pairs[i].(string), pairs[i+1].(*schema.Value))
	}
	return v
}

func put(v *schema.Value, name string, member *schema.Value) {
	v.Members = append(v.Members, schema.Member{Name: name, Value: member})
}

func text(s string) *schema.Value { return &schema.Value{Kind: schema.String, Text: s} }

func list(items ...*schema.Value) *schema.Value {
	return &schema.Value{Kind: schema.Array, Items: items}
}

func refTo(to string) *schema.Value { return object("$ref", text(to)) }

func indented(v *schema.Value) []byte {
	var out bytes.Buffer
	raw := v.AppendJSON(nil)
	if json.Indent(&out, raw, "", "  ") != nil { // what we just wrote is JSON
		return append(raw, '\n')
	}
	out.WriteByte('\n')
	return out.Bytes()
}
