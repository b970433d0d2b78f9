package lanes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// watcher tells of changes in single folders, board-relative ("." is the
// board). Its hints may be late, doubled, stale or missing.
type watcher interface {
	add(rel string) error
	remove(rel string)
	close()
}

// eventBuffer decouples the reading of events from their sorting in.
const eventBuffer = 1024

// notifier is the operating system's watcher.
type notifier struct {
	w    *fsnotify.Watcher
	root string
	out  *dirty
	done chan struct{}
}

// notify starts watching nothing yet; what it hears goes to out.
func notify(root string, out *dirty) (watcher, error) {
	w, err := fsnotify.NewBufferedWatcher(eventBuffer)
	if err != nil {
		return nil, fmt.Errorf("starting to watch %s: %w", root, err)
	}
	n := &notifier{w: w, root: root, out: out, done: make(chan struct{})}
	go n.run()
	return n, nil
}

func (n *notifier) run() {
	defer close(n.done)
	for {
		select {
		case ev, ok := <-n.w.Events:
			if !ok {
				return
			}
			n.event(ev)
		case err, ok := <-n.w.Errors:
			switch {
			case !ok:
				return
			case errors.Is(err, fsnotify.ErrEventOverflow):
				n.out.overflowed()
			case err != nil:
				n.out.broke(err)
			}
		}
	}
}

func (n *notifier) event(ev fsnotify.Event) {
	entry := ev.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0
	if ev.Op.Has(fsnotify.Create) {
		if from, ok := renamedFrom(ev); ok {
			n.out.moved(n.rel(from), n.rel(ev.Name))
		}
	}
	n.out.add(n.rel(ev.Name), entry)
}

// rel is a path below the root.
func (n *notifier) rel(name string) string {
	if len(name) <= len(n.root) {
		return "."
	}
	return strings.TrimPrefix(name[len(n.root):], "/")
}

// renamedFrom is the name that a file had in a watched folder before. The
// library knows it and tells it in the event's text only.
func renamedFrom(ev fsnotify.Event) (string, bool) {
	bare := fsnotify.Event{Name: ev.Name, Op: ev.Op}.String()
	quoted, ok := strings.CutPrefix(ev.String(), bare+" ← ")
	if !ok {
		return "", false
	}
	from, err := strconv.Unquote(quoted)
	return from, err == nil
}

func (n *notifier) path(rel string) string {
	if rel == "." {
		return n.root
	}
	return n.root + "/" + rel
}

func (n *notifier) add(rel string) error { return n.w.Add(n.path(rel)) }

// remove forgets a folder; that it was not watched any more is no fault.
func (n *notifier) remove(rel string) { _ = n.w.Remove(n.path(rel)) }

func (n *notifier) close() {
	_ = n.w.Close()
	<-n.done
}
