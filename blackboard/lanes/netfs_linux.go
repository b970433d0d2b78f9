package lanes

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// network says whether a folder is on a file system whose changes by other
// machines inotify does not hear of.
func (s *Set) network(rel string) error {
	dir, err := s.openFolder(rel)
	if err != nil {
		return nil
	}
	defer dir.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &fs); err != nil || !remote(int64(fs.Type)) {
		return nil
	}
	return fmt.Errorf("watching %s: %w", s.abs(rel), errNetwork)
}

// remote knows the magic numbers of statfs(2).
func remote(magic int64) bool {
	switch uint32(magic) {
	case 0x6969, // NFS
		0x517B, 0xFF534D42, 0xFE534D42, // SMB, CIFS, SMB2
		0x65735546,             // FUSE: sshfs, gluster and their like
		0x01021997,             // 9p: shared folders of virtual machines
		0x5346414F, 0x73757245, // AFS, Coda
		0x00C36400,             // Ceph
		0x0BD00BD0,             // Lustre
		0x7461636F, 0x01161970, // OCFS2, GFS2
		0x786F4256, 0xBACBACBC: // VirtualBox and VMware shared folders
		return true
	}
	return false
}
