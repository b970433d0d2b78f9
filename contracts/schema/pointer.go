package schema

import (
	"strconv"
	"strings"
)

// appendToken adds one reference token to a JSON pointer (RFC 6901).
func appendToken(pointer, token string) string {
	if strings.ContainsAny(token, "~/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
	}
	return pointer + "/" + token
}

func appendIndex(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// cutToken takes the first reference token off a pointer.
func cutToken(pointer string) (token, rest string) {
	pointer = strings.TrimPrefix(pointer, "/")
	token, rest, more := strings.Cut(pointer, "/")
	if more {
		rest = "/" + rest
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"), rest
}
