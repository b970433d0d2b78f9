package contracts

// MaxTopic is how many bytes a topic's name has at most.
const MaxTopic = 128

// ValidTopic tells whether b is a topic's name:
// [a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*, at most MaxTopic bytes.
func ValidTopic(b []byte) bool {
	if len(b) == 0 || len(b) > MaxTopic || b[0] == '_' || b[0] == '-' {
		return false
	}
	prev := byte('.')
	for _, c := range b {
		if c == '.' && prev == '.' || c != '.' && !topicByte(c) {
			return false
		}
		prev = c
	}
	return prev != '.'
}

// topicByte tells whether c may stand in a token of a topic's name.
func topicByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
