// Package plan is what a plan, its stages and its shards are: the document that
// people write, the manifest that it resolves to, and the names that shards
// have. It opens no file.
//
// A shard is known by the first 16 hex digits of the SHA-256 of its
// description, which is canonical JSON (RFC 8785):
//
//	printf '%s' '{"inputs":[{"name":"a.go","sha256":"…"}],"kind":"exec","spec":{"argv":["gzip","-9c","{input}"]},"v":1}' | sha256sum | cut -c1-16
package plan

// RawJSON is a JSON value as it was written.
type RawJSON []byte

// MarshalJSON gives the value back.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps the value.
func (r *RawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}
