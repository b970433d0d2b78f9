//go:build !linux

package lanes

// openBeneath opens rel below dirfd, following no link anywhere in it.
func openBeneath(dirfd int, rel string, flags int) (int, error) {
	return walkBeneath(dirfd, rel, flags)
}
