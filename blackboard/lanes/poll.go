package lanes

import (
	"errors"
	"fmt"
)

// pollState is why changes are found by looking only.
type pollState struct {
	start   error // no watcher to be had
	fault   error // it broke down
	network error // a file system that does not tell of other machines' changes
	deaf    error // folders that cannot be watched
	said    string
}

func (p *pollState) why() error {
	for _, err := range []error{p.start, p.fault, p.network, p.deaf} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pollState) on() bool { return p.why() != nil }

// news says whether polling began or ended, and why.
func (p *pollState) news(s *Set) (bool, error) {
	err, text := p.why(), ""
	if err != nil {
		text = err.Error()
	}
	if (text == "") == (p.said == "") {
		return false, nil
	}
	p.said = text
	s.sweeping.at = min(s.sweeping.at, s.now()+int64(s.opt.Poll))
	return true, err
}

// startWatch starts watching, where that is wanted and possible.
func (s *Set) startWatch() {
	if !s.opt.Watch || s.watch != nil {
		return
	}
	if s.watch, s.polling.start = s.opt.watcher(s.root, s.dirty); s.polling.start != nil {
		s.watch = nil
		return
	}
	for rel, d := range s.folders.by {
		d.watched = false
		s.dirty.add(rel, true)
	}
	for dir := range s.abroad {
		_ = s.watch.add(dir)
	}
}

// mend tries to watch again what could not be watched.
func (s *Set) mend() {
	if s.polling.fault != nil && s.watch != nil {
		s.watch.close()
		s.watch, s.polling.fault = nil, nil
		s.startWatch()
	}
	if s.polling.start != nil {
		s.startWatch()
	}
	for rel, d := range s.folders.deaf {
		if s.watch == nil {
			return
		}
		if err := s.watch.add(rel); err != nil && !missing(err) {
			s.polling.deaf = fmt.Errorf("watching %s: %w", s.abs(rel), err)
			return
		}
		d.watched = true
		delete(s.folders.deaf, rel)
		s.dirty.add(rel, true)
	}
	s.polling.deaf = nil
}

// mounted looks at a folder on another device than the board's: of a network
// file system only this machine's changes are told.
func (s *Set) mounted(rel string, dev uint64) {
	if s.devices[dev] {
		return
	}
	s.devices[dev] = true
	if err := s.network(rel); err != nil && s.polling.network == nil {
		s.polling.network = err
	}
}

// errNetwork says that a folder is on a network file system.
var errNetwork = errors.New("a network file system, which does not tell of other machines' changes")
