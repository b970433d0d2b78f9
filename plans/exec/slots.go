package exec

import (
	"context"
	"slices"
	"sync"
)

// slots are how many may run at a time. Who came first is next.
type slots struct {
	limit func() int

	mu    sync.Mutex // guards what follows
	used  int
	queue []chan struct{}
}

// take waits for a slot.
func (s *slots) take(ctx context.Context) error {
	s.mu.Lock()
	if s.used < s.limit() && len(s.queue) == 0 {
		s.used++
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.queue = append(s.queue, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.queue, turn)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 { // it was given one meanwhile
		s.free()
	}
	return ctx.Err()
}

// free gives a slot back.
func (s *slots) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	for s.used < s.limit() && len(s.queue) > 0 {
		close(s.queue[0])
		s.queue = s.queue[1:]
		s.used++
	}
}
