package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseTime reads a time as -S and -U take it: RFC 3339, a day (2026-01-29), a
// span before now (10m, -3d, 1h30m; units ms s m h d w), a span after it (+5m),
// now, today or yesterday. Days begin at midnight in now's zone.
func ParseTime(s string, now time.Time) (time.Time, error) {
	y, m, d := now.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	switch s {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, now.Location()); err == nil {
		return t, nil
	}
	rest, ahead := strings.CutPrefix(s, "+")
	if !ahead {
		rest = strings.TrimPrefix(s, "-")
	}
	span, ok := parseSpan(rest)
	if !ok {
		return time.Time{}, fmt.Errorf("reading the time %q: expected RFC 3339 with a zone (2026-01-29T02:31:13Z), a span (10m, -3d), now, today or yesterday", clip(s))
	}
	if ahead {
		return now.Add(span), nil
	}
	return now.Add(-span), nil
}

// parseSpan reads whole or decimal numbers with units, as 1h30m or 1.5d.
func parseSpan(s string) (time.Duration, bool) {
	var sum time.Duration
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n <= 0 {
			return 0, false
		}
		f, err := strconv.ParseFloat(s[:n], 64)
		if err != nil {
			return 0, false
		}
		u := strings.IndexFunc(s[n:], func(r rune) bool { return r == '.' || '0' <= r && r <= '9' })
		if u < 0 {
			u = len(s) - n
		}
		unit, ok := spanUnit(s[n : n+u])
		if f *= float64(unit); !ok || f > 1<<62 || sum > 1<<62 {
			return 0, false
		}
		sum += time.Duration(f)
		s = s[n+u:]
	}
	return sum, sum > 0
}

func spanUnit(s string) (time.Duration, bool) {
	switch s {
	case "ms":
		return time.Millisecond, true
	case "s":
		return time.Second, true
	case "m", "min":
		return time.Minute, true
	case "h":
		return time.Hour, true
	case "d":
		return 24 * time.Hour, true
	case "w":
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}
