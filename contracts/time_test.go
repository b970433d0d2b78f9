package contracts

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]int64{
		"1970-01-01T00:00:00Z":                                  0,
		"1970-01-01T00:00:00.1Z":                                100_000_000,
		"1970-01-01t00:00:00.000000001z":                        1,
		"1970-01-01T00:00:00.0000000019Z":                       1,
		"1970-01-01T02:00:00+02:00":                             0,
		"1969-12-31T22:30:00-01:30":                             0,
		"1970-01-01T00:00:00-00:00":                             0,
		"1969-12-31T23:59:59.5Z":                                -500_000_000,
		"2026-01-26T00:00:00.000002Z":                           1_769_385_600_000_002_000,
		"2000-02-29T00:00:00Z":                                  951_782_400_000_000_000,
		"1998-12-31T23:59:60Z":                                  915_148_800_000_000_000,
		"1998-12-31T23:59:60.25Z":                               915_148_800_250_000_000,
		"1998-12-31T15:59:60-08:00":                             915_148_800_000_000_000,
		"0000-01-01T00:00:00Z":                                  math.MinInt64,
		"9999-12-31T23:59:59.999999999Z":                        math.MaxInt64,
		"1970-01-01T00:00:00." + strings.Repeat("0", 400) + "Z": 0,
	} {
		if got, ok := ParseTime([]byte(text)); !ok || got != want {
			t.Errorf("%s is %d (%v), want %d", text, got, ok, want)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	for text, hint := range map[string]string{
		"":                            "",
		"now":                         "",
		"2026-01-26":                  "date alone",
		"2026-01-26T00:00:00":         "no zone",
		"2026-01-26T00:00:00.123":     "no zone",
		"2026-01-26 00:00:00Z":        "a T stands",
		"2026-01-26 00:00:00":         "and a zone",
		"1769385600":                  "seconds since",
		"1769385600.5":                "seconds since",
		"2026-01-26T00:00:00 Z":       "",
		"2026-01-26T00:00Z":           "",
		"2026-01-26T00:00:00.Z":       "",
		"2026-01-26T00:00:00,5Z":      "",
		"2026-01-26T00:00:00+0200":    "",
		"2026-01-26T00:00:00+02":      "",
		"2026-01-26T00:00:00+24:00":   "",
		"2026-01-26T00:00:00+02:60":   "",
		"2026-01-26T00:00:00UTC":      "",
		"2026-01-26T00:00:00ZZ":       "",
		"2026-01-26T24:00:00Z":        "",
		"2026-01-26T00:60:00Z":        "",
		"2026-01-26T00:00:61Z":        "",
		"1998-12-31T23:58:60Z":        "",
		"1998-12-31T22:59:60Z":        "",
		"2026-00-26T00:00:00Z":        "",
		"2026-13-26T00:00:00Z":        "",
		"2026-01-00T00:00:00Z":        "",
		"2026-01-32T00:00:00Z":        "",
		"2026-02-29T00:00:00Z":        "",
		"1900-02-29T00:00:00Z":        "",
		"2026-04-31T00:00:00Z":        "",
		"+2026-01-26T00:00:00Z":       "",
		"12026-01-26T00:00:00Z":       "",
		"26-01-26T00:00:00Z":          "",
		"2026-1-26T00:00:00Z":         "",
		"2026-01-26T0:00:00Z":         "",
		"2026/01/26T00:00:00Z":        "",
		"２026-01-26T00:00:00Z":        "",
		"2026-01-26T00:00:00Z\n":      "",
		"Mon, 26 Jan 2026 00:00:00 Z": "",
	} {
		if ns, ok := ParseTime([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, ns)
		}
		if got := timeHint([]byte(text)); !strings.Contains(got, hint) {
			t.Errorf("%q: hint %q, want %q", text, got, hint)
		}
	}
}

// TestParseTimeAgainstStandardLibrary takes times of every layout and offset
// within the range that both hold.
func TestParseTimeAgainstStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64().Draw(t, "ns")
		zone := rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "zone")
		layout := rapid.SampledFrom([]string{time.RFC3339Nano, "2006-01-02T15:04:05.000000000Z07:00"}).Draw(t, "layout")
		text := time.Unix(0, ns).In(time.FixedZone("", zone*60)).Format(layout)
		if year := time.Unix(0, ns).Year(); year < 1679 || year > 2261 {
			t.Skip("near the edge")
		}
		if got, ok := ParseTime([]byte(text)); !ok || got != ns {
			t.Fatalf("%s is %d (%v), want %d", text, got, ok, ns)
		}
		if got, ok := ParseTime(AppendTime(nil, ns)); !ok || got != ns {
			t.Fatalf("%s is %d (%v), want %d", FormatTime(ns), got, ok, ns)
		}
	})
}

// TestParseTimeEveryDay holds the calendar to the standard library's, for all
// years that RFC 3339 can write.
func TestParseTimeEveryDay(t *testing.T) {
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 10000; day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		if got := daysBefore(int64(y), int64(m), int64(d)); got*86400 != day.Unix() {
			t.Fatalf("%v is day %d, want %d", day, got, day.Unix()/86400)
		}
	}
	for y := range uint(2200) {
		for m := uint(1); m <= 12; m++ {
			if got, want := daysIn(y, m), time.Date(int(y), time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day(); got != uint(want) {
				t.Fatalf("%d-%02d has %d days, want %d", y, m, got, want)
			}
		}
	}
}

// TestParseTimeEveryByte puts each of the 256 bytes at each place of a time.
func TestParseTimeEveryByte(t *testing.T) {
	form := regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[tT][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)
	for _, text := range []string{"2026-01-26T11:12:13.5Z", "2026-11-10T01:02:03+01:20"} {
		b := []byte(text)
		for i := range b {
			for c := range 256 {
				b[i] = byte(c)
				_, err := time.Parse(time.RFC3339Nano, strings.ToUpper(string(b)))
				if _, ok := ParseTime(b); ok != (err == nil && form.Match(b)) {
					t.Errorf("%q is accepted: %v; the standard library says %v", b, ok, err)
				}
			}
			b[i] = text[i]
		}
	}
}

func TestParseTimeDoesNotAllocate(t *testing.T) {
	b := []byte("2026-01-26T00:00:00.000002Z")
	if n := testing.AllocsPerRun(100, func() { ParseTime(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseTime(b *testing.B) {
	text := []byte("2026-01-26T00:00:00.000002Z")
	for b.Loop() {
		ParseTime(text)
	}
}

// zoneForm is stricter than time.Parse, which takes +02:60 and +24:00.
var zoneForm = regexp.MustCompile(`([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// FuzzTime: what is accepted has the form of RFC 3339, and what the standard
// library accepts beyond that is known.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-01-26T00:00:00.000002Z", "1998-12-31T23:59:60Z", "2026-01-26t00:00:00+02:00", "2026-01-26T00:00:00,5Z", "2026-1-26T0:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseTime([]byte(s))
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
		strict := err == nil && zoneForm.MatchString(s) && !strings.Contains(s, ",") && len(s) > 13 && s[13] == ':' && !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
		if year := want.Year(); strict && year > 1679 && year < 2261 && (!ok || got != want.UnixNano()) {
			t.Fatalf("%q is %d (%v), want %d", s, got, ok, want.UnixNano())
		}
		if ok && !strict && s[17:19] != "60" {
			t.Fatalf("%q is accepted, time.Parse says %v", s, err)
		}
	})
}
