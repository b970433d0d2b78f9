package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// bomb is a frame of so many blocks that are one byte repeated 128 KiB times.
// Its header says content (or, below 0, nothing) and a window of 2^log.
func bomb(blocks int, content int64, log int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, frameMagic)
	switch {
	case content < 0:
		b = append(b, 0, byte(log-10)<<3)
	case log == 0:
		b = binary.LittleEndian.AppendUint64(append(b, 0xe0), uint64(content))
	default:
		b = binary.LittleEndian.AppendUint64(append(b, 0xc0, byte(log-10)<<3), uint64(content))
	}
	for i := range blocks {
		v := maxBlock<<3 | 1<<1
		if i == blocks-1 {
			v |= 1
		}
		b = append(b, byte(v), byte(v>>8), byte(v>>16), 'x')
	}
	return b
}

// TestBombs: what they unpack to is bounded, whatever they say.
func TestBombs(t *testing.T) {
	const blocks = 8 << 10 // 1 GiB
	for name, c := range map[string]struct {
		file []byte
		ok   bool // refused when opened, or when decoded
	}{
		"says what it is, one segment":   {bomb(blocks, blocks*maxBlock, 0), false},
		"says nothing, a huge window":    {bomb(blocks, -1, 27), false},
		"says a little, a small window":  {bomb(blocks, 1000, 17), true},
		"says a little, one segment":     {bomb(blocks, 1000, 0), true},
		"says 16 MiB, a window of 16":    {bomb(blocks, 16<<20, 24), false},
		"says 8 MiB, one segment":        {bomb(blocks, 8<<20, 0), true},
		"says 2^62":                      {bomb(1, 1<<62, 0), false},
		"says more than there is":        {bomb(1, 4<<20, 0), true},
		"a dictionary that nobody has":   {append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 2}, 0x11, 0, 0, 'a', 'b'), true},
		"a block of the reserved kind":   {append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 2}, 0x17, 0, 0, 'a', 'b'), false},
		"a header with the reserved bit": {append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x28, 2}, 0x11, 0, 0, 'a', 'b'), false},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Open(bytes.NewReader(c.file), int64(len(c.file)))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if _, err := r.DecodeFrame(0, nil); err == nil {
				t.Errorf("%s: decoded", name)
			}
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 24 {
			t.Errorf("%s: %d MiB", name, n)
		}
		if rep, err := CheckAt(bytes.NewReader(c.file), int64(len(c.file)), CheckOptions{}); err != nil || rep.Err() == nil {
			t.Errorf("%s: nothing is wrong with it", name)
		}
	}
}

// TestStreamWindow: the stream that reads any file refuses large windows too.
func TestStreamWindow(t *testing.T) {
	for log, want := range map[int]bool{23: true, 24: false, 27: false} {
		s, err := NewStream(bytes.NewReader(bomb(4, -1, log)))
		if err == nil {
			_, err = io.Copy(io.Discard, s)
			s.Close()
		}
		if (err == nil) != want {
			t.Errorf("a window of 2^%d: %v", log, err)
		}
	}
}

// TestLoose reads what other tools made of an archive: one frame of unsaid
// size, or frames that end within lines.
func TestLoose(t *testing.T) {
	var raw bytes.Buffer
	for i := range 60_000 {
		fmt.Fprintf(&raw, "{\"type\":\"a\",\"data\":{\"n\":%d}}\n", i*i)
	}
	raw.WriteString(strings.Repeat("x", 3<<20) + "\nlast")
	whole := zstdCommand(t, raw.Bytes(), "-3", "-c")
	half := raw.Len()/2 - 7
	halves := append(zstdCommand(t, raw.Bytes()[:half], "-3", "-c"), zstdCommand(t, raw.Bytes()[half:], "-3", "-c", "--no-check")...)
	for name, file := range map[string][]byte{"one frame": whole, "two": halves} {
		r := open(t, file)
		if r.Indexed() || r.Lost() != nil || len(r.Frames()) < 3 {
			t.Errorf("%s: %d frames, %v", name, len(r.Frames()), r.Lost())
		}
		for _, order := range []func(int) []int{forward, backward} {
			if !bytes.Equal(allLines(t, r, raw.Len(), order), raw.Bytes()) {
				t.Errorf("%s: other lines", name)
			}
		}
		if rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(raw.Bytes())}); err != nil || rep.Err() == nil {
			t.Errorf("%s: passes for one of ours", name)
		}
		cut := file[:len(file)*2/3]
		if r := open(t, cut); r.Lost() == nil {
			t.Errorf("%s: cut, and nothing is lost", name)
		}
	}
}
