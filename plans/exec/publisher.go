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
}

type waiting struct {
	object *durable.Object
	done   chan error
}

// put returns when the object has its name and is on the disk.
func (p *publisher) put(o *durable.Object) error {
	w := &waiting{object: o, done: make(chan error, 1)}
	p.mu.Lock()
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
		for i, err := range p.cas.Publish(objects...) {
			list[i].done <- err
		}
	}
}
