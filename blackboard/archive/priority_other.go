//go:build !linux

package archive

// lowerPriority does nothing: elsewhere a thread has no priority of its own.
func lowerPriority() {}
