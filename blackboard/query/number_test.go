package query

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDecimalsCompareAsTheNumbersTheyAre(t *testing.T) {
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		da, ok := parseDecimal([]byte(a), nil)
		db, ok2 := parseDecimal([]byte(b), make([]byte, 4))
		if !ok || !ok2 {
			t.Fatalf("not read: %s %s", a, b)
		}
		ra, _ := new(big.Rat).SetString(a)
		rb, _ := new(big.Rat).SetString(b)
		if got := sign(da.compare(db)); got != ra.Cmp(rb) {
			t.Fatalf("%s ? %s: %d, want %d", a, b, got, ra.Cmp(rb))
		}
	})
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestWhatIsNoNumber(t *testing.T) {
	for _, s := range []string{"", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1 ", "NaN", "--1", "1e5.5", "1_000"} {
		if _, ok := parseDecimal([]byte(s), nil); ok {
			t.Errorf("%q was read as a number", s)
		}
	}
}

func TestHugeExponentsNeitherOverflowNorHang(t *testing.T) {
	small, _ := parseDecimal([]byte("1e-99999999999999999999"), nil)
	large, _ := parseDecimal([]byte("1e99999999999999999999"), nil)
	zero, _ := parseDecimal([]byte("-0.000e7"), nil)
	if small.compare(large) >= 0 || zero.compare(small) >= 0 || large.compare(small) <= 0 {
		t.Fatal("out of order")
	}
}

func TestTimes(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	now := time.Date(2026, 1, 29, 2, 31, 13, 0, zone)
	for s, want := range map[string]string{
		"2026-01-29T02:31:13Z":      "2026-01-29T02:31:13Z",
		"2026-01-29T02:31:13+02:00": "2026-01-29T00:31:13Z",
		"10m":                       "2026-01-29T00:21:13Z",
		"-3d":                       "2026-01-26T00:31:13Z",
		"1h30m":                     "2026-01-28T23:01:13Z",
		"1.5h":                      "2026-01-28T23:01:13Z",
		"250ms":                     "2026-01-29T00:31:12.75Z",
		"2w":                        "2026-01-15T00:31:13Z",
		"+5m":                       "2026-01-29T00:36:13Z",
		"now":                       "2026-01-29T00:31:13Z",
		"today":                     "2026-01-28T22:00:00Z",
		"yesterday":                 "2026-01-27T22:00:00Z",
		"2026-01-02":                "2026-01-01T22:00:00Z",
	} {
		got, err := ParseTime(s, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s %v, want %s", s, got.UTC().Format(time.RFC3339Nano), err, want)
		}
	}
	for _, s := range []string{"", "10", "m", "ten minutes", "10y", "2026-01-29T02:31:13", "99999999999999h", "-", "1h-3m", "..h"} {
		if got, err := ParseTime(s, now); err == nil {
			t.Errorf("%q was read as %s", s, got)
		}
	}
}
