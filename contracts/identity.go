package contracts

import (
	"fmt"
	"strconv"
	"strings"
)

// ownLane tells whether only the daemon writes that lane; who may write what there
// is decided by other means.
func ownLane(lane string) bool {
	switch first, _, _ := strings.Cut(lane, "/"); first {
	case "hxo", "genesis", "swarm", "board":
		return first == lane
	case "workers", "quarantine":
		return first != lane
	}
	return false
}

// remoteLane tells whether a lane carries what came over a network. The daemon
// writes it, so its file's owner says nothing.
func remoteLane(lane string) bool {
	for _, prefix := range []string{"http/", "remote/", "federation/"} {
		if strings.HasPrefix(lane, prefix) {
			return true
		}
	}
	return false
}

// identity is who stands behind a lane.
type identity struct {
	lane   string
	uid    uint32
	remote bool
	name   string // of the user; of the lane where that is not known
	known  bool   // name is the operating system's
}

func (p *Policy) identify(lane string, uid uint32) identity {
	who := identity{lane: lane, uid: uid, remote: remoteLane(lane), name: lane}
	if who.remote || p.users == nil {
		return who
	}
	if name := p.users(uid); name != "" && name != who.number() {
		who.name, who.known = name, true
	}
	return who
}

func (w identity) number() string { return strconv.FormatUint(uint64(w.uid), 10) }

// String is the identity for a rule's text.
func (w identity) String() string {
	switch {
	case w.remote:
		return "lane " + w.lane
	case w.known:
		return fmt.Sprintf("lane %s of user %s (uid %d)", w.lane, w.name, w.uid)
	}
	return fmt.Sprintf("lane %s of uid %d", w.lane, w.uid)
}

// is tells whether the name is one of the identity's own: the user's, the lane's,
// or the lane's last element, as agents call themselves.
func (w identity) is(name string) bool {
	base := w.lane[strings.LastIndexByte(w.lane, '/')+1:]
	return name == w.name || name == w.lane || name == base || name == strings.TrimPrefix(base, "post-") ||
		!w.remote && name == w.number()
}

// mayBe tells whether a claimed user can be who stands behind the lane. Where the
// uid's name is not known, it can be anybody but those whom roles name.
func (p *Policy) mayBe(who identity, claimed string) bool {
	if who.is(claimed) {
		return true
	}
	if who.known || who.remote {
		return false
	}
	for _, r := range p.roles {
		if contains(r.users, claimed) {
			return false
		}
	}
	return true
}

// rolesOf are the roles that a lane has, by its path or its owner.
func (p *Policy) rolesOf(who identity) (has []compiledRole) {
	for _, r := range p.roles {
		if r.hasLane(who.lane) || !who.remote && r.hasUser(who) {
			has = append(has, r)
		}
	}
	return has
}

func (r compiledRole) hasLane(lane string) bool {
	for _, l := range r.lanes {
		if l.match(lane) {
			return true
		}
	}
	return false
}

func (r compiledRole) hasUser(who identity) bool {
	return who.known && contains(r.users, who.name) || contains(r.users, who.number())
}

func named(roles []compiledRole, name string) bool {
	for _, r := range roles {
		if r.name == name {
			return true
		}
	}
	return false
}

func rolesText(roles []compiledRole) string {
	if len(roles) == 0 {
		return "it has no role"
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.name
	}
	return "its roles: " + strings.Join(names, ", ")
}
