package lanes

import (
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256, in hex where it is written down.
type Hash [32]byte

// MarshalText is 64 hex digits, or nothing for the zero Hash.
func (h Hash) MarshalText() ([]byte, error) {
	if h == (Hash{}) {
		return nil, nil
	}
	return hex.AppendEncode(nil, h[:]), nil
}

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*h = Hash{}
		return nil
	}
	if len(b) != 2*len(h) {
		return fmt.Errorf("reading a hash: expected %d hex digits, found %d bytes", 2*len(h), len(b))
	}
	if _, err := hex.Decode(h[:], b); err != nil {
		return fmt.Errorf("reading a hash: %w", err)
	}
	return nil
}
