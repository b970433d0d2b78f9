package signer

import (
	"context"

	"stigmergy/blackboard/history"
	"stigmergy/contracts/seal"
)

// turn is a request to go on with a new key.
type turn struct {
	user string
	done chan struct{}
	key  string
	err  error
}

// rotation is what board.checkpoint says of a new key: the note by which the
// old one names it, and who asked.
type rotation struct {
	Key    string `json:"key"`
	OldKey string `json:"old_key"`
	Note   string `json:"note"`
	User   string `json:"user,omitempty"`
}

// signed has the old key name the new one, and lets it count from here on.
func (r *rotation) signed(s *Signer, keys []*seal.Signer, size uint64) error {
	note, err := seal.Sign(history.RotationText(keys[0].Name(), r.Key, size), keys[0])
	if err != nil {
		return err
	}
	r.Note = string(note)
	return history.AddVerifier(s.cfg.Layout, s.cfg.Disk, history.Known{Key: r.Key, From: size, Note: r.Note})
}

// Ask asks for a new key and does not wait: it comes with the next checkpoint,
// at the latest when the daemon ends. The channel is closed when it did; result
// says what came of it.
func (s *Signer) Ask(user string) (done <-chan struct{}, result func() (key string, err error)) {
	s.ask.Lock()
	defer s.ask.Unlock()
	if s.turn == nil {
		s.turn = &turn{user: user, done: make(chan struct{})}
	}
	if s.wake != nil {
		s.wake()
	}
	t := s.turn
	return t.done, func() (string, error) { return t.key, t.err }
}

// Rotate is Ask, and waits.
func (s *Signer) Rotate(ctx context.Context, user string) (key string, err error) {
	done, result := s.Ask(user)
	select {
	case <-done:
		return result()
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *Signer) turning() *turn {
	s.ask.Lock()
	defer s.ask.Unlock()
	return s.turn
}

// finishTurn answers who asked, if that is what was signed.
func (s *Signer) finishTurn(r *rotation) {
	if r != nil {
		s.endTurn(r.Key, nil)
	}
}

// refuseTurn gives an error to who asked, and back.
func (s *Signer) refuseTurn(err error) error {
	if s.turning() != nil {
		s.endTurn("", err)
	}
	return err
}

func (s *Signer) endTurn(key string, err error) {
	s.ask.Lock()
	defer s.ask.Unlock()
	s.turn.key, s.turn.err = key, err
	close(s.turn.done)
	s.turn = nil
}
