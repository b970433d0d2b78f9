package contracts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// Attr is an extension attribute of a line to build; see ValidAttr.
type Attr struct{ Name, Value string }

// ValidAttr tells whether name may be an extension attribute's: lower-case
// letters and digits (CloudEvents), at most 32 of them, and none of the names
// that Build writes itself.
func ValidAttr(name string) bool {
	if name == "" || len(name) > 32 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c == '-' || c == '_' || !topicByte(c) {
			return false
		}
	}
	switch name {
	case "specversion", "id", "source", "type", "topic", "subject", "time", "data", "linedigest":
		return false
	}
	return true
}

// Build is a CloudEvents 1.0 line to write. ID, Source and Type are required by
// CloudEvents; of the others, what is empty is left out. With Digest the line's
// last member is linedigest: the SHA-256, in hex, of the line's bytes before
// `,"linedigest"`, which is
//
//	sed -n 's/,"linedigest":"[0-9a-f]*"}$//p' | tr -d '\n' | sha256sum
type Build struct {
	ID      string
	Source  string // percent-encoded as far as a URI reference must be
	Type    string
	Subject string
	Time    string
	Ext     []Attr
	Data    []byte // one valid JSON value, in any layout; nil leaves it out
	Digest  bool
}

// Append appends the line, without LF, to dst: specversion, id, source, type,
// subject, time, the extensions, data, linedigest.
func (b Build) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, `{"specversion":"1.0","id":`...)
	dst = AppendString(dst, b.ID)
	dst = append(dst, `,"source":`...)
	dst = AppendString(dst, uriReference(b.Source))
	dst = append(dst, `,"type":`...)
	dst = AppendString(dst, b.Type)
	dst = appendAttr(dst, "subject", b.Subject)
	dst = appendAttr(dst, "time", b.Time)
	for _, a := range b.Ext {
		dst = appendAttr(dst, a.Name, a.Value)
	}
	if b.Data != nil {
		dst = append(dst, `,"data":`...)
		if bytes.IndexByte(b.Data, '\n') >= 0 {
			dst = AppendCompact(dst, b.Data)
		} else {
			dst = append(dst, b.Data...)
		}
	}
	if b.Digest {
		sum := sha256.Sum256(dst[start:])
		dst = append(dst, digestMember...)
		dst = hex.AppendEncode(dst, sum[:])
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func appendAttr(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ',')
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	return AppendString(dst, value)
}

// uriReference makes a URI reference (RFC 3986) of any text, by percent-encoding
// the bytes that cannot stand where they do. A lane's name comes out as it is.
func uriReference(s string) string {
	const legal = "-._~!$&'()*+,;=:@/?%#"
	hash := strings.IndexByte(s, '#')
	scheme := schemeLen(s)
	var out []byte
	for i := range len(s) {
		c := s[i]
		ok := alphanumeric(c) || strings.IndexByte(legal, c) >= 0
		switch c {
		case '%':
			ok = hex2(s[i+1:])
		case '#':
			ok = i == hash
		case ':':
			ok = scheme > 0 || strings.ContainsAny(s[:i], "/?#")
		}
		out = appendPercent(out, c, ok)
	}
	if _, err := url.Parse(string(out)); err == nil {
		return string(out)
	}
	out = out[:0] // what looks like a host or a port is none: all of it is a path
	for i := range len(s) {
		out = appendPercent(out, s[i], alphanumeric(s[i]) || strings.IndexByte("-._~", s[i]) >= 0)
	}
	return string(out)
}

func alphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

func appendPercent(dst []byte, c byte, plain bool) []byte {
	if plain {
		return append(dst, c)
	}
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&15])
}

// schemeLen is the length of the scheme that a URI begins with, 0 if it has
// none.
func schemeLen(s string) int {
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ':':
			return i
		case i == 0 && '0' <= c && c <= '9', !alphanumeric(c) && (i == 0 || c != '+' && c != '-' && c != '.'):
			return 0
		}
	}
	return 0
}

func hex2(s string) bool { return len(s) >= 2 && hex4([]byte{'0', '0', s[0], s[1]}) >= 0 }
