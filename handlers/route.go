package handlers

import "stigmergy/contracts"

// route is what to do with the events of one topic.
type route struct {
	units   []*unit
	owner   string // the lane that alone may carry it
	request bool
}

// quiet tells that nothing at all is to be done with an event of this topic.
func (r *route) quiet() bool { return r == nil || len(r.units) == 0 && r.owner == "" && !r.request }

// routes is the table, compiled whenever other contracts come into force. A
// topic without a contract is looked up by name, and only if some handler may
// want it.
type routes struct {
	known map[*contracts.Topic]*route
	wild  []*unit // handlers that may want topics without a contract
	named map[string]*route

	last      *contracts.Topic // lines of one topic come in runs
	lastRoute *route
}

func compile(units []*unit, reg *contracts.Registry) *routes {
	rs := &routes{known: map[*contracts.Topic]*route{}, named: map[string]*route{}}
	for _, t := range reg.Topics() {
		r := &route{owner: t.Owner, request: t.Request, units: wanting(units, t.Name)}
		if !r.quiet() {
			rs.known[t] = r
		}
	}
	for _, u := range units {
		rs.unknown(u, reg)
	}
	return rs
}

func (rs *routes) unknown(u *unit, reg *contracts.Registry) {
	for _, p := range u.patterns {
		if name, ok := p.Literal(); !ok || reg.Topic([]byte(name)) == nil {
			rs.wild = append(rs.wild, u)
			return
		}
	}
}

func wanting(units []*unit, topic string) []*unit {
	var list []*unit
	for _, u := range units {
		if u.wants(topic) {
			list = append(list, u)
		}
	}
	return list
}

// of is the route of a topic; nil where nothing is to be done.
func (rs *routes) of(t *contracts.Topic, line []byte, env *contracts.Envelope) *route {
	if t == nil {
		if len(rs.wild) == 0 {
			return nil
		}
		return rs.byName(env.Type.TextBytes(line))
	}
	if t != rs.last {
		rs.last, rs.lastRoute = t, rs.known[t]
	}
	return rs.lastRoute
}

// maxNamed bounds the memory of routes by name: the names are the writers'.
const maxNamed = 4096

func (rs *routes) byName(topic []byte) *route {
	if r, ok := rs.named[string(topic)]; ok {
		return r
	}
	var r *route
	if units := wanting(rs.wild, string(topic)); len(units) > 0 {
		r = &route{units: units}
	}
	if len(rs.named) >= maxNamed {
		clear(rs.named)
	}
	rs.named[string(topic)] = r
	return r
}
