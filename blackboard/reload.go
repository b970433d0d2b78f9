package blackboard

import (
	"context"

	"stigmergy/blackboard/journal"
)

// reload takes up changed settings and contracts, or says why not.
func (k *Kernel) reload(ctx context.Context) error {
	c, text, faults := LoadConfig(k.layout, k.opt.Sources, k.config)
	for _, f := range faults {
		if err := k.faulty(ctx, f); err != nil {
			return err
		}
	}
	if c == nil {
		return nil
	}
	if len(faults) == 0 {
		k.heal()
	}
	if c.SHA256 == k.config.SHA256 {
		k.config.Settings = c.Settings // what the fold does not depend on
		return nil
	}
	k.put(c, text)
	if !k.opened { // before the run's first entry it is journaled with that
		return nil
	}
	return k.reconfigure(ctx)
}

// faulty alerts a broken contract or setting, once as long as it stays so.
func (k *Kernel) faulty(ctx context.Context, f Fault) error {
	key := f.Kind + " " + f.Path + " " + f.Err.Error()
	if k.told[key] {
		return nil
	}
	k.told[key] = true
	return k.note(ctx, f.Kind, journal.Entry{Path: f.Path, Detail: clip(f.Err.Error())})
}

// heal forgets faults that were told, so that they are told when they return.
func (k *Kernel) heal() {
	for key := range k.told {
		if len(key) > 4 && key[:4] == "bad_" {
			delete(k.told, key)
		}
	}
}

// clip keeps an entry below its limit, whatever a file's faults are called.
func clip(s string) string {
	const most = 2000
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
