package durable

import "os"

// renameLinked renames without ever replacing, where the system has no call
// for it: a second name first, then the old one goes.
func renameLinked(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
