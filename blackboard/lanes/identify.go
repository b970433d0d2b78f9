package lanes

import "golang.org/x/sys/unix"

// Identify gives the mark of a file below a board's folder, by its
// board-relative path: who it is and whose, and that nothing of it was taken
// in yet. It follows no link at the path's end.
func Identify(board, rel string) (Mark, error) {
	at, err := unix.Open(board, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Mark{}, err
	}
	defer unix.Close(at)
	own, err := statFd(at)
	if err != nil {
		return Mark{}, err
	}
	st, err := statAt(at, rel)
	if err != nil {
		return Mark{}, err
	}
	if st.dev == own.dev {
		st.dev = 0
	}
	return Mark{Dev: st.dev, Ino: st.ino, Birth: st.birth, UID: st.uid}, nil
}
