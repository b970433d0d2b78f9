package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object prints one value: on several lines as json, on one as jsonl.
func (a *app) object(v any) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if a.format() == "json" {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	_, err := a.out.Write([]byte(visibleText(a, out.Bytes())))
	return err
}
