package handlers

import "stigmergy/contracts"

// The reasons of board.rejected.
const (
	RejectPolicy       = "policy"
	RejectPlanFault    = "plan_fault"
	RejectUnknownPlan  = "unknown_plan"
	RejectUnknownShard = "unknown_shard"
	RejectNoLease      = "no_lease"
	RejectNoShard      = "no_shard"
	RejectDuplicate    = "duplicate"
	RejectBadParameter = "bad_parameter"
	RejectBadKind      = "bad_kind"
	RejectThrottled    = "throttled"
)

// Rejection is why a valid request is not granted.
type Rejection struct {
	Reason string
	Errors []contracts.FieldError
	Rule   string // of the policy
	User   string
	Role   string
	PlanID string // "" takes the request's own
}

// Reject answers a request with board.rejected.
func (tx *Tx) Reject(ev *contracts.Event, r *Rejection) contracts.Position {
	plan := r.PlanID
	if v := ev.Get("data.plan_id"); plan == "" && v.Kind == contracts.String {
		plan = v.Text()
	}
	data := new(Object).
		Position("position", ev.Pos).
		Str("request_topic", ev.TopicName).
		Str("request_id", ev.ID()).
		Str("reason", r.Reason).
		Errors("errors", r.Errors).
		OptStr("rule", r.Rule).OptStr("user", r.User).OptStr("role", r.Role).OptStr("plan_id", plan)
	subject := plan
	if subject == "" {
		subject = ev.Pos.Lane
	}
	return tx.Emit("board", "board.rejected", subject, data.Bytes())
}

// Alert is a board.alert to be.
type Alert struct {
	Type     string // lost, destroyed, storm, skip, …
	Severity string // info, warning or critical
	Message  string
	Lane     string
	Segment  uint64 // with Lane; 0: unknown
	Offset   int64  // with Length
	Length   int64  // 0: no range
	Errno    string
}

// Alert raises a board.alert.
func (tx *Tx) Alert(a Alert) contracts.Position {
	data := new(Object).Str("alert_type", a.Type).Str("severity", a.Severity).Str("message", a.Message).OptStr("lane", a.Lane)
	if a.Segment != 0 {
		data.Uint("segment", a.Segment)
	}
	if a.Length != 0 || a.Offset != 0 {
		data.Int("offset", a.Offset)
	}
	if a.Length != 0 {
		data.Int("length", a.Length)
	}
	data.OptStr("errno", a.Errno)
	return tx.Emit("board", "board.alert", a.Lane, data.Bytes())
}
