package contracts

// Checker decides whether a line is an event.
type Checker struct {
	Registry      *Registry
	MaxLine       int    // bytes; 0 means no limit
	UnknownTopics string // "accept" (and "") or "quarantine"
}

// Check fills ev from a line, or says why the line is refused.
func (c *Checker) Check(line []byte, ev *Event) *Refusal { return nil }

// Recover finds the one record that a mangled line certainly ends with.
func Recover(line []byte, c *Checker) (off int, ok bool) { return 0, false }
