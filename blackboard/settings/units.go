package settings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseSize reads a size in bytes: 65536, 64KiB, 1.5 GiB. Units are powers of
// 1024 and have to be written with their i.
func ParseSize(s string) (int64, error) {
	s = strings.TrimSpace(s)
	end := strings.LastIndexAny(s, "0123456789.") + 1
	unit := int64(1)
	switch strings.ToLower(strings.TrimSpace(s[end:])) {
	case "", "b":
	case "kib":
		unit = 1 << 10
	case "mib":
		unit = 1 << 20
	case "gib":
		unit = 1 << 30
	case "tib":
		unit = 1 << 40
	default:
		return 0, fmt.Errorf("reading the size %q: %w", s, errValue)
	}
	if n, err := strconv.ParseInt(s[:end], 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/unit {
		return n * unit, nil
	}
	f, err := strconv.ParseFloat(s[:end], 64)
	if err != nil || !(f >= 0 && f*float64(unit) < math.MaxInt64) || f*float64(unit) != math.Trunc(f*float64(unit)) {
		return 0, fmt.Errorf("reading the size %q: %w", s, errValue)
	}
	return int64(f * float64(unit)), nil
}

// FormatSize writes a size so that ParseSize gives the same bytes back.
func FormatSize(n int64) string {
	for _, u := range []struct {
		name string
		unit int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.unit && n%u.unit == 0 {
			return strconv.FormatInt(n/u.unit, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseDuration is time.ParseDuration with days (d) and weeks (w); never below
// zero.
func ParseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	rest := strings.TrimSpace(s)
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		head, tail, found := strings.Cut(rest, u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(head, 10, 32)
		if err != nil || time.Duration(n) > (math.MaxInt64-sum)/u.unit {
			return 0, fmt.Errorf("reading the duration %q: %w", s, errValue)
		}
		sum, rest = sum+time.Duration(n)*u.unit, tail
		if rest == "" {
			return sum, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > math.MaxInt64-sum {
		return 0, fmt.Errorf("reading the duration %q: %w", s, errValue)
	}
	return sum + d, nil
}

// FormatDuration writes a duration as people do: 24h, 5m, 100ms, 365d.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	if d < 5*time.Minute && d >= time.Second && d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
