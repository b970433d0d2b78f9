package archive

import (
	"encoding/binary"
	"errors"
)

// The seek table of the zstd seekable format
// (github.com/facebook/zstd, contrib/seekable_format), the file's last frame:
//
//	0x184D2A5E · size · per frame: compressed size, size, checksum · frames · 0x80 · 0x8F92EAB1
//
// all in 32 bits, little end first, but for the descriptor 0x80: "checksums
// are there". The checksum is the low half of the content's XXH64.
const (
	seekFooterMagic = 0x8F92EAB1
	seekFooterSize  = 9
	seekEntrySize   = 12
	seekChecksums   = 0x80
)

// appendSeekTable writes the seek table of these frames.
func appendSeekTable(b []byte, frames []Frame) []byte {
	b = binary.LittleEndian.AppendUint32(b, seekMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)*seekEntrySize+seekFooterSize))
	for i := range frames {
		f := &frames[i]
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Size))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.RawSize))
		b = binary.LittleEndian.AppendUint32(b, f.checksum)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)))
	b = append(b, seekChecksums)
	return binary.LittleEndian.AppendUint32(b, seekFooterMagic)
}

var errSeek = errors.New("no seek table of ours")

// seekTableSize reads how long the seek table is that ends with this footer.
func seekTableSize(footer []byte) (frames, size int64, err error) {
	if len(footer) != seekFooterSize || binary.LittleEndian.Uint32(footer[5:]) != seekFooterMagic || footer[4] != seekChecksums {
		return 0, 0, errSeek
	}
	frames = int64(binary.LittleEndian.Uint32(footer))
	return frames, skippableHead + frames*seekEntrySize + seekFooterSize, nil
}

// parseSeekTable reads a whole seek table. Nothing in it is believed: sizes
// must fit what the file holds, and a frame is verified when it is decoded.
func parseSeekTable(b []byte, data int64) ([]Frame, error) {
	if len(b) < skippableHead+seekFooterSize {
		return nil, errSeek
	}
	n, size, err := seekTableSize(b[len(b)-seekFooterSize:])
	if err != nil || size != int64(len(b)) || n > maxFrames || binary.LittleEndian.Uint32(b) != seekMagic ||
		int64(binary.LittleEndian.Uint32(b[4:])) != size-skippableHead {
		return nil, errSeek
	}
	frames := make([]Frame, 0, n)
	var prev Frame
	for p := (parser{b: b[skippableHead:]}); len(p.b) > seekFooterSize; {
		f := Frame{Offset: prev.Offset + prev.Size, RawOffset: prev.RawOffset + prev.RawSize, Lines: -1}
		f.Size, f.RawSize, f.checksum = int64(p.u32()), int64(p.u32()), p.u32()
		if f.Size == 0 || f.Offset+f.Size > data || f.RawSize > maxContent {
			return nil, errSeek
		}
		frames = append(frames, f)
		prev = f
	}
	return frames, nil
}
