package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// lineColumn is where a byte of a text stands, both from 1.
func lineColumn(text []byte, offset int64) (line, column int) {
	before := text[:min(max(offset, 0), int64(len(text)))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// jsonFault is why a text is not one JSON value, and at which offset; nil if
// it is one.
func jsonFault(text []byte) (offset int64, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	var v any
	err = dec.Decode(&v)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return max(syntax.Offset-1, 0), err
	case err != nil:
		return int64(len(text)), errors.New("the text ends before the value does")
	}
	end := dec.InputOffset()
	if rest := bytes.TrimLeft(text[end:], " \t\r\n"); len(rest) > 0 {
		return int64(len(text) - len(rest)), errors.New("something follows the value")
	}
	return 0, nil
}

// jsonOffset is where in a valid JSON text the value at a JSON pointer begins;
// of a member that is not there, where its object begins.
func jsonOffset(text []byte, pointer string) int64 {
	dec := json.NewDecoder(bytes.NewReader(text))
	at := skipSpace(text, 0)
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		next, ok := descend(text, dec, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		if !ok {
			break
		}
		at = next
	}
	return at
}

// descend enters the value that the decoder stands before and goes to one of
// its members.
func descend(text []byte, dec *json.Decoder, step string) (at int64, ok bool) {
	open, err := dec.Token()
	if err != nil {
		return 0, false
	}
	for i := 0; dec.More(); i++ {
		found := open == json.Delim('[') && strconv.Itoa(i) == step
		if open == json.Delim('{') {
			key, err := dec.Token()
			if err != nil {
				return 0, false
			}
			found = key == step
		}
		if found {
			return skipSpace(text, dec.InputOffset()), true
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil && !errors.Is(err, io.EOF) {
			return 0, false
		}
	}
	return 0, false
}

// skipSpace is the first byte from offset on that is part of a value.
func skipSpace(text []byte, offset int64) int64 {
	for offset < int64(len(text)) && strings.IndexByte(" \t\r\n:,", text[offset]) >= 0 {
		offset++
	}
	return offset
}
