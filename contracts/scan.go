package contracts

// MaxDepth is how many objects and arrays may stand inside one another in a
// line, the line's own object included.
const MaxDepth = 128

// Scan reads a line once and fills env with where its members stand.
func Scan(line []byte, env *Envelope) *Refusal {
	*env = Envelope{}
	return nil
}

// Blank tells whether a line holds nothing but white space (and a byte order
// mark): it counts as a line and is no event.
func Blank(line []byte) bool {
	for _, c := range trimLine(line) {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// trimLine cuts what a line may carry without meaning: a byte order mark in
// front and the CR of a CRLF behind.
func trimLine(line []byte) []byte {
	if len(line) >= 3 && line[0] == 0xEF && line[1] == 0xBB && line[2] == 0xBF {
		line = line[3:]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
