package contracts

import (
	"math"
	"time"
)

// ParseTime reads an RFC 3339 time: 2026-01-26T00:00:00.000002Z, with any
// number of decimals (those below the nanosecond are cut), t and z in lower case
// too, an offset as +02:00, and a leap second (23:59:60 UTC) as the second after
// it. The answer is in unix nanoseconds; a time outside the years that these
// hold (1677 to 2262) is valid and becomes the nearest of them.
func ParseTime(b []byte) (ns int64, ok bool) {
	const shape = "0000-00-00T00:00:00"
	if len(b) <= len(shape) || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	century, ok1 := twoDigits(b[0], b[1])
	year, ok2 := twoDigits(b[2], b[3])
	month, ok3 := twoDigits(b[5], b[6])
	day, ok4 := twoDigits(b[8], b[9])
	hour, ok5 := twoDigits(b[11], b[12])
	minute, ok6 := twoDigits(b[14], b[15])
	sec, ok7 := twoDigits(b[17], b[18])
	year += 100 * century
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) ||
		month-1 > 11 || day-1 >= daysIn(year, month) || hour > 23 || minute > 59 || sec > 60 {
		return 0, false
	}
	frac, rest, ok := parseFraction(b[len(shape):])
	if !ok {
		return 0, false
	}
	offset, ok := parseZone(rest)
	if !ok {
		return 0, false
	}
	unix := daysBefore(int64(year), int64(month), int64(day))*86400 +
		int64(hour*3600+minute*60+sec) - offset
	if sec == 60 && unix%86400 != 0 {
		return 0, false
	}
	return unixNano(unix, frac), true
}

// twoDigits is the number that two digits write.
func twoDigits(a, b byte) (n uint, ok bool) {
	a, b = a-'0', b-'0'
	return uint(a)*10 + uint(b), a <= 9 && b <= 9
}

// parseFraction reads the decimals of the second, if there are any.
func parseFraction(b []byte) (ns int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	i, scale := 1, int64(100_000_000)
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		ns += int64(b[i]-'0') * scale
		scale /= 10
	}
	return ns, b[i:], i > 1
}

// parseZone reads Z or an offset, in seconds east of UTC.
func parseZone(b []byte) (seconds int64, ok bool) {
	if len(b) == 1 {
		return 0, b[0]|0x20 == 'z'
	}
	if len(b) != 6 || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hour, ok1 := twoDigits(b[1], b[2])
	minute, ok2 := twoDigits(b[4], b[5])
	seconds = int64(hour*3600 + minute*60)
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, ok1 && ok2 && hour <= 23 && minute <= 59
}

// daysIn is how many days a month has.
func daysIn(year, month uint) uint {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// daysBefore counts the days from 1970-01-01 to a date of the Gregorian
// calendar, whose year is taken to begin in March so that a leap day ends it.
func daysBefore(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	year += 400 // keeps the divisions above zero for the year 0
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - (719468 + 146097)
}

// unixNano joins seconds and nanoseconds within what an int64 holds.
func unixNano(sec, ns int64) int64 {
	switch {
	case sec > math.MaxInt64/1_000_000_000-1:
		return math.MaxInt64
	case sec < math.MinInt64/1_000_000_000+1:
		return math.MinInt64
	}
	return sec*1_000_000_000 + ns
}

// AppendTime appends a time in unix nanoseconds as the journal writes it: RFC
// 3339 in UTC with nine decimals.
func AppendTime(dst []byte, ns int64) []byte {
	return time.Unix(0, ns).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
}

// FormatTime is AppendTime as a string.
func FormatTime(ns int64) string { return string(AppendTime(nil, ns)) }

// timeHint guesses what is wrong with a time.
func timeHint(b []byte) string {
	if _, ok := ParseTime(append(append([]byte(nil), b...), 'Z')); ok {
		return "the time has no zone: end it with Z (UTC) or an offset as +02:00"
	}
	if len(b) > 10 && b[10] == ' ' {
		t := append([]byte(nil), b...)
		t[10] = 'T'
		if _, ok := ParseTime(t); ok {
			return "a T stands between date and time"
		}
		if timeHint(t) != "" {
			return "a T stands between date and time, and a zone (Z or +02:00) behind"
		}
	}
	if len(b) == 10 && b[4] == '-' {
		return "a date alone is no time: 2026-01-26T00:00:00Z"
	}
	if end := scanNumber(b, 0); len(b) > 0 && end == len(b) {
		return "seconds since 1970 are no RFC 3339 time: date -u +%Y-%m-%dT%H:%M:%SZ"
	}
	return ""
}
