package archive

import "encoding/binary"

// zigzag makes small numbers of either sign small.
func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// parser reads varints and bytes; once bad, it gives zeros.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) uint() uint64 {
	if len(p.b) > 0 && p.b[0] < 0x80 { // nearly all are
		v := p.b[0]
		p.b = p.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) int() int64 { return unzigzag(p.uint()) }

// count reads a number that cannot be larger than limit, or all is bad.
func (p *parser) count(limit int64) int64 {
	v := p.uint()
	if limit < 0 || v > uint64(limit) {
		p.bad, p.b = true, nil
		return 0
	}
	return int64(v)
}

func (p *parser) bytes(n int64) []byte {
	if n < 0 || n > int64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

// text reads a length and so many bytes.
func (p *parser) text() string { return string(p.bytes(p.count(int64(len(p.b))))) }

func (p *parser) u32() uint32 {
	if b := p.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (p *parser) u64() uint64 {
	if b := p.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// done tells whether everything was read and nothing was bad.
func (p *parser) done() bool { return !p.bad && len(p.b) == 0 }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
