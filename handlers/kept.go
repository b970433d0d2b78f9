package handlers

import "fmt"

// MaxKept bounds the memory of objects that were read, in bytes.
const MaxKept = 8 << 20

// kept remembers objects of the content-addressed store as they were read.
// What an object says follows from its hash, so whether one is remembered makes
// no difference to what is derived.
type kept struct {
	objects map[keptKey]*keptObject
	list    []*keptObject // in no order
	size    int
	clock   uint64
}

type keptKey struct{ sha256, as string }

type keptObject struct {
	key   keptKey
	value any
	size  int
	used  uint64
}

// Object is an object of the content-addressed store as parse makes it of its
// bytes. It is remembered for a while: the value is shared and must not be
// changed, parse must depend on the bytes alone, and as names what it makes of
// them. size is about how much memory the value takes.
func (tx *Tx) Object(sha256, as string, parse func(raw []byte) (value any, size int, err error)) any {
	k := &tx.m.kept
	k.clock++
	if o := k.objects[keptKey{sha256, as}]; o != nil {
		o.used = k.clock
		return o.value
	}
	value, size, err := parse(tx.CAS(sha256))
	if err != nil {
		panic(fmt.Sprintf("reading CAS object %s as %s: %v", sha256, as, err))
	}
	if k.objects == nil {
		k.objects = map[keptKey]*keptObject{}
	}
	o := &keptObject{keptKey{sha256, as}, value, size, k.clock}
	k.objects[o.key], k.list = o, append(k.list, o)
	k.size += size
	k.shrink()
	return value
}

// shrink forgets what was not used for longest, but for the newest.
func (k *kept) shrink() {
	for k.size > MaxKept && len(k.list) > 1 {
		least := 0
		for i, o := range k.list {
			if o.used < k.list[least].used {
				least = i
			}
		}
		o := k.list[least]
		delete(k.objects, o.key)
		k.size -= o.size
		last := len(k.list) - 1
		k.list[least], k.list[last] = k.list[last], nil
		k.list = k.list[:last]
	}
}
