package lanes

import (
	"os"
	"strconv"
)

// fdPath is the name under which an open file stands now.
func fdPath(fd int) (string, error) { return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)) }
