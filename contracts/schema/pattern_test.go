package schema

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUsualPatternsBecomeTables(t *testing.T) {
	for text, want := range map[string]string{
		"^[0-9a-f]{64}$": "runs", "^[0-9a-f]{8}-[0-9a-f]{4}$": "runs", "^(ab|cd)$": "regexp", "^[a-z][0-9]$": "runs",
		"^[a-z]+$": "each", "^[a-z]*$": "each", "^[a-z]{1,64}$": "each", "^[a-z]{3,}$": "each", "^ab$": "runs",
		"[a-z]+": "regexp", "^[^a]$": "regexp", `^["a]$`: "regexp", `^[\\a]$`: "regexp", "^é$": "regexp", "^(?i)ab$": "regexp",
		"^a?$": "regexp", "^$": "regexp", "^([0-9]{3}){4}$": "runs", "^(?m)a$": "regexp", "^.$": "regexp", "": "regexp",
		"^[a-z]{1000}$": "runs", "^([a-z]{100}[0-9]{100}){9}$": "regexp", "^a{0}$": "regexp", `^\d{2}$`: "runs", `^\x00$`: "regexp",
	} {
		p, err := newPattern(text)
		if err != nil {
			t.Fatal(err)
		}
		got := "regexp"
		if p.runs != nil {
			got = "runs"
		} else if p.each != nil {
			got = "each"
		}
		if got != want || (p.re == nil) != (got != "regexp") {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestPatternsAgreeWithRegexp(t *testing.T) {
	part := rapid.SampledFrom([]string{"[0-9a-f]", "[0-9a-f]{8}", "[0-9a-f]{2}", "a", "-", "[a-c]{2}", "(a[bc]){2}", "[a-c]", `\d`, "[a-c]+", "[a-c]{1,3}", "[a-c]*", "(?:a)"})
	rapid.Check(t, func(t *rapid.T) {
		text := "^" + strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "") + "$"
		p, err := newPattern(text)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(text)
		s := rapid.OneOf(rapid.StringMatching(text), rapid.StringMatching(`[0-9a-cA-F-]{0,12}`), rapid.String()).Draw(t, "s")
		if p.match([]byte(s)) != re.MatchString(s) {
			t.Fatalf("%s of %q: %v", text, s, p.match([]byte(s)))
		}
	})
}

func TestHexAgreesWithTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]byte("0123456789abcdef/:`gAFG@\x80\xff")), rapid.Byte()), 0, 40).Draw(t, "s")
		if lowerHex(s) != lowerHexSet.all(s) {
			t.Fatalf("%q: %v", s, lowerHex(s))
		}
	})
	for i := range 256 {
		c := byte(i)
		w := strings.Repeat("a", 7) + string([]byte{c})
		if lowerHex([]byte(w)) != lowerHexSet[c] {
			t.Errorf("lower hex of %q", c)
		}
		for _, at := range []int{0, 7, 9, 12, 14, 17, 19, 22, 24, 27, 28, 35} {
			u := []byte("0b6b1c1e-7f5a-4b1e-9c3d-2f4a5b6c7d8e")
			u[at] = c
			if isUUID(u) != hexDigit[c] {
				t.Errorf("UUID with %q at %d", c, at)
			}
		}
		for _, at := range []int{8, 13, 18, 23} {
			u := []byte("0b6b1c1e-7f5a-4b1e-9c3d-2f4a5b6c7d8e")
			u[at] = c
			if isUUID(u) != (c == '-') {
				t.Errorf("UUID with %q at %d", c, at)
			}
		}
	}
}

// Go's own reader, strict in the shape and lenient in nothing, is the measure for
// times without leap seconds.
func TestDateTimeAgreesWithGo(t *testing.T) {
	field := func(n int) *rapid.Generator[string] {
		return rapid.StringMatching(`[0-9]{` + string(rune('0'+n)) + `}`)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]string{"2024", "1900", "2000", "0000", "9999"}).Draw(t, "year") + "-" +
			rapid.SampledFrom([]string{"01", "02", "04", "12", "13", "00"}).Draw(t, "month") + "-" +
			rapid.SampledFrom([]string{"01", "28", "29", "30", "31", "32", "00"}).Draw(t, "day") + "T" +
			rapid.SampledFrom([]string{"00", "23", "24"}).Draw(t, "hour") + ":" + rapid.SampledFrom([]string{"00", "59", "60"}).Draw(t, "minute") + ":" +
			rapid.SampledFrom([]string{"00", "59", "61"}).Draw(t, "second") + rapid.SampledFrom([]string{"", ".1", ".123456789", "."}).Draw(t, "fraction") +
			rapid.SampledFrom([]string{"Z", "+00:00", "-23:59", "", "+0000", " Z", "ZZ"}).Draw(t, "zone")
		if rapid.Bool().Draw(t, "odd") {
			s = field(4).Draw(t, "y") + s[4:]
		}
		_, err := time.Parse(time.RFC3339Nano, s)
		if isDateTime([]byte(s)) != (err == nil) {
			t.Fatalf("%s: %v, Go says %v", s, isDateTime([]byte(s)), err)
		}
	})
}

func TestLeapSeconds(t *testing.T) {
	for s, want := range map[string]bool{
		"1998-12-31T23:59:60Z": true, "1998-12-31T23:59:60.5Z": true, "1998-12-31T15:59:60-08:00": true, "1999-01-01T00:59:60+01:00": true,
		"1998-12-31T23:58:60Z": false, "1998-12-31T22:59:60Z": false, "1998-12-31T23:59:61Z": false, "1998-12-31t23:59:59z": true,
		"1998-12-31 23:59:59Z": false, "1998-12-31T23:59:59": false, "1998-12-31T23:59Z": false, "1998-12-31T00:00:00+24:00": false, "1998-12-31T00:00:00+00:60": false, "": false, "1998-12-31T+1:00:00Z": false,
	} {
		if isDateTime([]byte(s)) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

func TestLengthsAreCodePoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &stringRule{min: rapid.IntRange(0, 6).Draw(t, "min"), max: rapid.IntRange(-1, 6).Draw(t, "max")}
		s := rapid.StringOfN(rapid.RuneFrom([]rune("aé😀")), 0, 8, -1).Draw(t, "s")
		n := len([]rune(s))
		if r.length([]byte(s)) != (n >= r.min && (r.max < 0 || n <= r.max)) {
			t.Fatalf("%+v of %q", r, s)
		}
	})
	for body, want := range map[string]int{`a\n`: 2, `\u00e9`: 1, `\ud83d\ude00`: 1, `\ud83d\ude00\ud83d\ude00x`: 3, `\\u0041`: 6, `é\"`: 2, `\uD83D\uDE00`: 1} {
		if got := escapedRunes([]byte(body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
}
