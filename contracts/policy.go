package contracts

import (
	"fmt"
	"slices"
	"strings"
)

// Roles maps a role's name to who has it and what it may ask for.
type Roles map[string]Role

// Role is one role of the board's settings. Roles add up: a lane may what any of
// its roles may.
type Role struct {
	Lanes []string // lane patterns: * within a path element, ** across
	Users []string // names (or numbers) of users who own a lane's file
	May   []string // topic patterns of the requests it may make
}

// Policy decides who may ask for what. Identity on a local board is the operating
// system's: the path of a lane and the uid that owns its file. A Policy is
// immutable and safe for use by many goroutines.
type Policy struct {
	record bool
	daemon uint32
	users  func(uid uint32) string
	roles  []compiledRole // by name; none: every lane has every role
}

type compiledRole struct {
	name  string
	lanes []lanePattern
	users []string
	may   Patterns
}

// NewPolicy compiles the settings. foreignOwned is refuse (also "") or record;
// users names a uid, "" if it has no name that is known.
func NewPolicy(roles Roles, foreignOwned string, daemonUID uint32, users func(uid uint32) string) (*Policy, error) {
	p := &Policy{record: foreignOwned == "record", daemon: daemonUID, users: users}
	if !p.record && foreignOwned != "" && foreignOwned != "refuse" {
		return nil, fmt.Errorf("policy.foreign_owned is refuse or record, not %q", clip(foreignOwned))
	}
	for name, role := range roles {
		c := compiledRole{name: name, users: role.Users}
		for _, text := range role.Lanes {
			lane, err := parseLanePattern(text)
			if err != nil {
				return nil, fmt.Errorf("role %s: %w", name, err)
			}
			c.lanes = append(c.lanes, lane)
		}
		may, err := ParsePatterns(role.May)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", name, err)
		}
		c.may = may
		p.roles = append(p.roles, c)
	}
	slices.SortFunc(p.roles, func(a, b compiledRole) int { return strings.Compare(a.name, b.name) })
	return p, nil
}

// Forged reports whether a line of that topic on that lane is a forgery.
func (p *Policy) Forged(t *Topic, lane string) bool { return !p.record && p.Foreign(t, lane) }

// Foreign reports whether the topic is owned and the lane is not its owner: with
// policy.foreign_owned: record it is kept, but no state machine acts on it.
func (p *Policy) Foreign(t *Topic, lane string) bool {
	return t != nil && t.Owner != "" && t.Owner != lane
}

// May decides whether a request of that topic may come from that lane, whose file
// the uid owns. A user and a role that the request claims are checked against the
// lane, not believed; where they cannot be told, or without roles, they are
// recorded as claimed. rule says in words why not; user and role are who it is
// recorded as.
func (p *Policy) May(topic, lane string, uid uint32, claimedUser, claimedRole string) (ok bool, rule, user, role string) {
	who := p.identify(lane, uid)
	user, role = claimedUser, claimedRole
	if user == "" {
		user = who.name
	}
	if len(p.roles) == 0 || ownLane(lane) {
		return true, "", user, role
	}
	has := p.rolesOf(who)
	if claimedUser != "" && !p.mayBe(who, claimedUser) {
		return false, fmt.Sprintf("%s is not the user %s that the request claims", who, clip(claimedUser)), user, role
	}
	if claimedRole != "" && !named(has, claimedRole) {
		return false, fmt.Sprintf("%s does not have the role %s that the request claims; %s", who, clip(claimedRole), rolesText(has)), user, role
	}
	for _, r := range has {
		if len(r.may) > 0 && r.may.Match(topic) {
			if role == "" {
				role = r.name
			}
			return true, "", user, role
		}
	}
	return false, fmt.Sprintf("no role of %s may ask for %s; %s", who, topic, rolesText(has)), user, role
}

// MayRun decides whether a request that runs commands may come from that lane:
// plans, job kinds. It may from lanes whose file the daemon's user or root owns,
// unless they carry what came from another machine, and from those that a role
// names together with the topic.
func (p *Policy) MayRun(topic, lane string, uid uint32) (ok bool, rule string) {
	if !remoteLane(lane) && (uid == p.daemon || uid == 0) || ownLane(lane) {
		return true, ""
	}
	for _, r := range p.roles {
		if r.namesLane(lane) && r.namesTopic(topic) {
			return true, ""
		}
	}
	if remoteLane(lane) {
		return false, fmt.Sprintf("lane %s comes from off this machine, and what runs commands is taken from there only where a role names the lane and %s", lane, topic)
	}
	return false, fmt.Sprintf("lane %s belongs to uid %d, and what runs commands is taken only from the daemon's user (uid %d) or root, or where a role names the lane and %s", lane, uid, p.daemon, topic)
}

// namesLane is stricter than having the role: a pattern that is all star names
// nobody, and one for lanes from outside says which.
func (r compiledRole) namesLane(lane string) bool {
	for _, l := range r.lanes {
		literal := l.literal()
		if l.match(lane) && literal != "" && (!remoteLane(lane) || remoteLane(literal)) {
			return true
		}
	}
	return false
}

func (r compiledRole) namesTopic(topic string) bool {
	for _, m := range r.may {
		if m.Match(topic) && m.Prefix() != "" {
			return true
		}
	}
	return false
}
