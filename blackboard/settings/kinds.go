package settings

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// kind is how values of one type are written.
type kind[T any] struct {
	expect string
	parse  func(string) (T, error)
	format func(T) string
}

// errValue says only that the text is not of the kind; the row's expect tells
// the rest.
var errValue = errors.New("not such a value")

func oneOf(words ...string) kind[string] {
	return kind[string]{
		expect: strings.Join(words, " or "),
		format: func(s string) string { return s },
		parse: func(s string) (string, error) {
			if !slices.Contains(words, s) {
				return "", errValue
			}
			return s, nil
		},
	}
}

func text(expect string) kind[string] {
	return kind[string]{
		expect: expect,
		format: func(s string) string { return s },
		parse: func(s string) (string, error) {
			bad := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
			if s == "" || len(s) > 4096 || bad {
				return "", errValue
			}
			if strings.Contains(expect, "without spaces") && strings.ContainsFunc(s, unicode.IsSpace) {
				return "", errValue
			}
			return s, nil
		},
	}
}

func address() kind[string] {
	return kind[string]{
		expect: "HOST:PORT or off",
		format: func(s string) string { return s },
		parse: func(s string) (string, error) {
			_, port, err := net.SplitHostPort(s)
			if s == "off" || err == nil && port != "" {
				return s, nil
			}
			return "", errValue
		},
	}
}

func boolean() kind[bool] {
	return kind[bool]{
		expect: "true or false",
		format: strconv.FormatBool,
		parse: func(s string) (bool, error) {
			switch strings.ToLower(s) {
			case "true", "yes", "on", "1":
				return true, nil
			case "false", "no", "off", "0":
				return false, nil
			}
			return false, errValue
		},
	}
}

func integer(lo, hi int) kind[int] {
	return kind[int]{
		expect: fmt.Sprintf("a whole number from %d to %d", lo, hi),
		format: strconv.Itoa,
		parse: func(s string) (int, error) {
			n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
			if err != nil || n < lo || n > hi {
				return 0, errValue
			}
			return n, nil
		},
	}
}

func ratio() kind[float64] {
	return kind[float64]{
		expect: "a number from 0 to 1",
		format: func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) },
		parse: func(s string) (float64, error) {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil || math.IsNaN(f) || f < 0 || f > 1 {
				return 0, errValue
			}
			return f, nil
		},
	}
}

func size(lo, hi int64) kind[int64] {
	return kind[int64]{
		expect: fmt.Sprintf("a size from %s to %s, in bytes or with KiB, MiB, GiB", FormatSize(lo), FormatSize(hi)),
		format: FormatSize,
		parse: func(s string) (int64, error) {
			n, err := ParseSize(s)
			if err == nil && (n < lo || n > hi) {
				err = errValue
			}
			return n, err
		},
	}
}

func duration(lo, hi time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		expect: fmt.Sprintf("a duration from %s to %s, as 100ms, 60s, 24h, 7d", FormatDuration(lo), FormatDuration(hi)),
		format: FormatDuration,
		parse: func(s string) (time.Duration, error) {
			d, err := ParseDuration(s)
			if err == nil && (d < lo || d > hi) {
				err = errValue
			}
			return d, err
		},
	}
}

// orNone lets a duration be "none", kept as 0.
func orNone(k kind[time.Duration]) kind[time.Duration] {
	parse, format := k.parse, k.format
	k.expect += ", or none"
	k.parse = func(s string) (time.Duration, error) {
		if s == "none" {
			return 0, nil
		}
		return parse(s)
	}
	k.format = func(d time.Duration) string {
		if d == 0 {
			return "none"
		}
		return format(d)
	}
	return k
}

func window() kind[Window] {
	return kind[Window]{
		expect: "N results or DURATION, at least N",
		format: func(w Window) string {
			return fmt.Sprintf("%d results or %s, at least %d", w.Results, FormatDuration(w.Age), w.Least)
		},
		parse: func(s string) (Window, error) {
			f := strings.Fields(s)
			if len(f) != 7 || f[1] != "results" || f[2] != "or" || f[4] != "at" || f[5] != "least" {
				return Window{}, errValue
			}
			results, err1 := strconv.Atoi(f[0])
			age, err2 := ParseDuration(strings.TrimSuffix(f[3], ","))
			least, err3 := strconv.Atoi(f[6])
			if errors.Join(err1, err2, err3) != nil || least < 1 || results < least || results > 1<<20 || age <= 0 {
				return Window{}, errValue
			}
			return Window{Results: results, Age: age, Least: least}, nil
		},
	}
}
