package signer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/contracts"
	"stigmergy/contracts/seal"
)

// open reads the tree up to the newest checkpoint, once, and makes the board's
// key where it has none.
func (s *Signer) open(ctx context.Context) error {
	if s.log != nil || s.stopped {
		return nil
	}
	if history.Stopped(s.cfg.Layout) {
		s.stopped = true
		s.cfg.Log.Error("nothing is signed: the journal was not what a checkpoint says: stigmergy doctor")
		return nil
	}
	if _, err := history.EnsureKey(s.cfg.Layout, s.cfg.Disk, s.origin()); err != nil {
		return err
	}
	newest, err := history.Newest(s.cfg.Layout)
	if err != nil {
		return err
	}
	log, err := history.OpenLog(s.cfg.Layout, s.cfg.Disk, newest)
	if err != nil {
		return err
	}
	s.log, s.headed = log, newest.Size
	return ctx.Err()
}

func (s *Signer) origin() string {
	c := s.cfg.Kernel().InForce()
	return c.Settings.Origin(c.BoardID)
}

// checkpointData is board.checkpoint.
type checkpointData struct {
	Origin   string    `json:"origin"`
	Size     uint64    `json:"size"`
	Root     string    `json:"root"` // base64, as in the note
	Note     string    `json:"note"`
	Rotation *rotation `json:"rotation,omitempty"`
}

// sign makes the checkpoint over what was read, and reports it.
func (s *Signer) sign(e blackboard.Effect, report func(lane string, line []byte) error) error {
	keys, rot, err := s.keys()
	if err != nil {
		return s.refuseTurn(err)
	}
	c := s.log.Checkpoint(keys[0].Name())
	if rot != nil {
		if err := rot.signed(s, keys, c.Size); err != nil {
			return s.refuseTurn(err)
		}
	}
	note, err := c.Sign(keys...)
	if err != nil {
		return s.refuseTurn(err)
	}
	if err := s.log.Save(); err != nil {
		return err
	}
	if err := s.log.Keep(c, note); err != nil {
		return err
	}
	if err := s.announce(e, &checkpointData{c.Origin, c.Size, c.RootBase64(), string(note), rot}, report); err != nil {
		return err
	}
	s.others, s.hurry, s.last = false, false, s.cfg.Now()
	s.finishTurn(rot)
	return nil
}

func (s *Signer) announce(e blackboard.Effect, data *checkpointData, report func(lane string, line []byte) error) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("reporting a checkpoint: %w", err)
	}
	now := s.cfg.Now().UTC()
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return fmt.Errorf("reporting a checkpoint: %w", err)
	}
	line := contracts.Build{
		ID: contracts.UUIDv7(now.UnixMilli(), rnd), Source: history.SignerLane, Type: "board.checkpoint",
		Time: now.Format(time.RFC3339Nano), Ext: []contracts.Attr{{Name: "effectkey", Value: e.Key}}, Data: body,
	}.Append(nil)
	return report(history.SignerLane, line)
}

// head signs what has become of the newest checkpoint's own line.
func (s *Signer) head() error {
	size := s.log.Size()
	if size == s.log.Signed().Size || size == s.headed {
		return nil
	}
	key, err := history.Key(s.cfg.Layout)
	if err != nil {
		return err
	}
	note, err := s.log.Checkpoint(key.Name()).Sign(key)
	if err != nil {
		return err
	}
	if err := s.log.KeepHead(note); err != nil {
		return err
	}
	s.headed = size
	return nil
}

// keys are those that sign this time: the board's, and the one that is to
// follow it where that was asked for.
func (s *Signer) keys() ([]*seal.Signer, *rotation, error) {
	key, err := history.Key(s.cfg.Layout)
	if err != nil {
		return nil, nil, err
	}
	t := s.turning()
	if t == nil {
		return []*seal.Signer{key}, nil, nil
	}
	next, err := history.NextKey(s.cfg.Layout, s.cfg.Disk, key)
	if err != nil {
		return nil, nil, err
	}
	return []*seal.Signer{key, next}, &rotation{Key: next.Public(), OldKey: key.Public(), User: t.user}, nil
}
