package plan

import (
	"strconv"
	"strings"

	"stigmergy/contracts"
)

// node is one value of a document, whether that is JSON or YAML, and where it
// stands.
type node struct {
	kind    contracts.Kind
	text    string // of a string; of a number or boolean as JSON writes it
	items   []*node
	members []member
	line    int  // from 1
	column  int  // from 1, in characters
	told    bool // it is no value, and that is a fault already
}

// member is one name and value of an object.
type member struct {
	name  string
	at    *node // the name itself
	value *node
}

// get is the member of that name, or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return nil
}

// find follows a JSON pointer as far as it leads.
func (n *node) find(pointer string) *node {
	for pointer != "" {
		token, rest, more := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		next := n.get(token)
		if i, err := strconv.Atoi(token); n.kind == contracts.Array && err == nil && i >= 0 && i < len(n.items) {
			next = n.items[i]
		}
		if next == nil {
			return n
		}
		if n = next; !more {
			return n
		}
		pointer = "/" + rest
	}
	return n
}

// appendJSON writes the value as JSON.
func (n *node) appendJSON(dst []byte) []byte {
	switch n.kind {
	case contracts.Object:
		dst = append(dst, '{')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(contracts.AppendString(dst, m.name), ':')
			dst = m.value.appendJSON(dst)
		}
		return append(dst, '}')
	case contracts.Array:
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendJSON(dst)
		}
		return append(dst, ']')
	case contracts.String:
		return contracts.AppendString(dst, n.text)
	}
	return append(dst, n.text...)
}

// show is the value as faults quote it.
func (n *node) show() string {
	switch n.kind {
	case contracts.Absent:
		return "nothing"
	case contracts.Object:
		return "an object"
	case contracts.Array:
		return "a list of " + strconv.Itoa(len(n.items))
	case contracts.String:
		return quoted(n.text)
	}
	return clip(n.text)
}
