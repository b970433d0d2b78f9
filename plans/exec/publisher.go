package exec

import (
	"sync"

	"stigmergy/blackboard/durable"
)

// publisher gives outputs their names. What is handed in while the disk is
// busy waits for it together: many small outputs cost few waits.
type publisher struct {
	cas durable.CAS

	mu   sync.Mutex // guards what follows
	busy bool
	next []*waiting
	done map[string]bool // names that are on the disk: some of those given
}

// maxDone is how many of them are known at the most.
const maxDone = 1024

type waiting struct {
	object *durable.Object
	done   chan error
}

// put returns when the object has its name and is on the disk.
func (p *publisher) put(o *durable.Object) error {
	w := &waiting{object: o, done: make(chan error, 1)}
	p.mu.Lock()
	if p.done[o.Name()] && o.Stands() { // as empty outputs do: the disk has nothing to do
		p.mu.Unlock()
		o.Discard()
		return nil
	}
	p.next = append(p.next, w)
	idle := !p.busy
	p.busy = true
	p.mu.Unlock()
	if idle {
		go p.work()
	}
	return <-w.done
}

// work publishes until nobody waits.
func (p *publisher) work() {
	for {
		p.mu.Lock()
		list := p.next
		p.next = nil
		p.busy = len(list) > 0
		p.mu.Unlock()
		if len(list) == 0 {
			return
		}
		objects := make([]*durable.Object, len(list))
		for i, w := range list {
			objects[i] = w.object
		}
		errs := p.cas.Publish(objects...)
		p.note(objects, errs)
		for i, err := range errs {
			list[i].done <- err
		}
	}
}

// note remembers what is on the disk.
func (p *publisher) note(objects []*durable.Object, errs []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil || len(p.done)+len(objects) > maxDone {
		p.done = map[string]bool{}
	}
	for i, o := range objects {
		if errs[i] == nil {
			p.done[o.Name()] = true
		}
	}
}
