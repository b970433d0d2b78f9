package archive

import "syscall"

// lowerPriority makes the calling thread give way to all others.
func lowerPriority() {
	const lowest = 19
	// Refused or not, the work is done.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowest)
}
