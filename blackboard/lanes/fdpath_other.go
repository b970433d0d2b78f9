//go:build !linux

package lanes

import "errors"

// fdPath is not known here; files are searched for by listing.
func fdPath(int) (string, error) { return "", errors.ErrUnsupported }
