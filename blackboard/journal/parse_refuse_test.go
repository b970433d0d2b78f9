package journal

import "testing"

// TestParseMixed: half a config entry and half of another one, as a power cut
// can mix them, is no entry.
func TestParseMixed(t *testing.T) {
	for _, line := range []string{
		`{"seq":1,"time":"2026-01-29T02:31:13.000000000Z","elapsed_ms":0,"config":true,"power_epoch":1,"cut_seq":0}`,
		`{"seq":1,"time":"2026-01-29T02:31:13.000000000Z","elapsed_ms":0,"state":true,"sha256":"747e"}`,
	} {
		if e, err := Parse([]byte(line)); err == nil {
			t.Errorf("%s was taken for %+v", line, e)
		}
	}
}
