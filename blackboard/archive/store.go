package archive

import (
	"errors"

	"stigmergy/blackboard/durable"
)

// StoreRequest asks for one archive to be made durable.
type StoreRequest struct {
	Raw    string // the sealed segment's file
	Path   string // the archive's file
	Source Source
	Write  WriteOptions
	Seal   Seal // what the segment is known to be
	Disk   *durable.Disk
}

// Store compresses a segment beside its final name, syncs it, reads it back and
// compares it with the seal, renames it into place and syncs the folder. When
// it returns without error the segment may be deleted. An archive that stands
// there already and holds against the seal is kept as it is.
func Store(req StoreRequest) (Written, error) { return Written{}, errors.ErrUnsupported }

// Rebuild makes the index and the seek table of an archive anew; its frames are
// copied byte for byte. A damaged frame is an error, and the file stays.
func Rebuild(path string, src Source, opt WriteOptions, disk *durable.Disk) (Written, error) {
	return Written{}, errors.ErrUnsupported
}
