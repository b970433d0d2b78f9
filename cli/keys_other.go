//go:build !linux

package cli

import (
	"errors"
	"os"
)

// keysAtOnce is for Linux: elsewhere Ctrl-C ends what is live.
func keysAtOnce(*os.File) (restore func(), err error) { return nil, errors.ErrUnsupported }
