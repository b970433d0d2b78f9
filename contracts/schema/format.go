package schema

// format is a "format" that is asserted: date-time, date, time (RFC 3339) and
// uuid. By the standard a format only annotates unless asked otherwise; here it is
// asked otherwise. Those named in otherFormats are asserted by the fallback; any
// other name says nothing.
type format struct {
	name string
	ok   func(s []byte) bool
}

func formatOf(name string) *format {
	switch name {
	case "date-time":
		return &format{name, isDateTime}
	case "date":
		return &format{name, isDate}
	case "time":
		return &format{name, isTime}
	case "uuid":
		return &format{name, isUUID}
	}
	return nil
}

// otherFormats are checked by the fallback.
func otherFormat(name string) bool {
	switch name {
	case "json-pointer", "relative-json-pointer", "duration", "period", "ipv4", "ipv6",
		"hostname", "email", "uri", "iri", "uri-reference", "iri-reference",
		"uri-template", "semver", "regex":
		return true
	}
	return false
}

// isDateTime is RFC 3339's date-time: 2026-01-29T02:31:13.25Z. T and Z may be lower
// case; a second of 60 stands only where a leap second can, at 23:59 UTC.
func isDateTime(s []byte) bool {
	return len(s) >= 20 && s[10]|0x20 == 't' && isDate(s[:10]) && isTime(s[11:])
}

// isDate is a day that the calendar has.
func isDate(s []byte) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	hundred, ok0 := two(s, 0)
	year, ok1 := two(s, 2)
	month, ok2 := two(s, 5)
	day, ok3 := two(s, 8)
	if !ok0 || !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= daysIn(hundred*100+year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// isTime is RFC 3339's full-time: 02:31:13.25+01:00.
func isTime(s []byte) bool {
	if len(s) < 9 || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, ok1 := two(s, 0)
	minute, ok2 := two(s, 3)
	second, ok3 := two(s, 6)
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return false
	}
	zone := s[8:]
	if zone[0] == '.' {
		n := 1
		for n < len(zone) && zone[n]-'0' <= 9 {
			n++
		}
		if n == 1 {
			return false
		}
		zone = zone[n:]
	}
	offset, ok := zoneMinutes(zone)
	return ok && (second < 60 || (hour*60+minute-offset+2*24*60)%(24*60) == 23*60+59)
}

// zoneMinutes is Z as 0 and +01:30 as 90.
func zoneMinutes(s []byte) (int, bool) {
	if len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	if len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hour, ok1 := two(s, 1)
	minute, ok2 := two(s, 4)
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, false
	}
	if s[0] == '-' {
		return -(hour*60 + minute), true
	}
	return hour*60 + minute, true
}

// two reads two decimal digits.
func two(s []byte, i int) (int, bool) {
	a, b := s[i]-'0', s[i+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}
