package plan

import (
	"math"
	"time"

	"stigmergy/contracts"
)

// Milliseconds reads a time span of a request: text such as 30s or 2d, or a
// number of milliseconds; def where there is none. ok is false for anything
// else, for what is negative, and for what is longer than a century.
func Milliseconds(v contracts.Value, def int64) (ms int64, ok bool) {
	const century = 100 * 366 * 24 * time.Hour
	switch v.Kind {
	case contracts.Absent:
		return def, true
	case contracts.String:
		d, err := parseDuration(v.Text())
		return d.Milliseconds(), err == nil && d >= 0 && d <= century
	}
	f, ok := v.Number()
	return int64(math.Min(math.Max(f, 0), 1e15)), ok && f >= 0 && f <= float64(century.Milliseconds())
}

// SpanText writes milliseconds as people do: 15s, 1m30s, 250ms.
func SpanText(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
