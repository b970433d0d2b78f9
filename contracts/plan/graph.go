package plan

import (
	"slices"
	"strings"
)

// graph holds the stages' needs against each other: each names a stage, and
// they lead in no circle.
func (r *reader) graph(stages []*Draft) {
	byID := map[string]*Draft{}
	var ids []string
	for _, s := range stages {
		if s.ID != "" && byID[s.ID] == nil {
			byID[s.ID] = s
			ids = append(ids, s.ID)
		}
	}
	for _, s := range stages {
		for _, id := range s.Needs {
			if byID[id] != nil {
				continue
			}
			hint := didYouMean(id, ids)
			if hint == "" {
				hint = "stages are " + knownKinds(ids)
			}
			n, at := s.where(id)
			r.add(n, at, "needs", "the stage_id of a stage of this plan", quoted(id), hint)
			s.Sound = s.Sound && s.Partition.Of != id
		}
	}
	r.cycles(stages, byID)
}

// where is the place at which a stage names another one.
func (s *Draft) where(id string) (*node, string) {
	if needs := s.n.get("needs"); needs != nil {
		for i, item := range needs.items {
			if item.text == id {
				return item, index(s.at+"/needs", i)
			}
		}
	}
	return s.n.find("/partition/of"), s.at + "/partition/of"
}

// cycles tells of each circle once, with its way.
func (r *reader) cycles(stages []*Draft, byID map[string]*Draft) {
	const open, closed = 1, 2
	state := map[string]int{}
	var way []string
	var visit func(s *Draft)
	visit = func(s *Draft) {
		state[s.ID] = open
		way = append(way, s.ID)
		for _, id := range s.Needs {
			next := byID[id]
			switch {
			case next == nil:
			case state[id] == open:
				round := append(slices.Clone(way[slices.Index(way, id):]), id)
				n, at := s.where(id)
				r.add(n, at, "cycle", "stages that do not wait for each other in a circle", cycleText(round), "take one of these needs away")
				for _, id := range round {
					byID[id].Sound = byID[id].Sound && byID[id].Partition.Of == "" // the files of others can be looked at
				}
			case state[id] == 0:
				visit(next)
			}
		}
		way = way[:len(way)-1]
		state[s.ID] = closed
	}
	for _, s := range stages {
		if s.ID != "" && state[s.ID] == 0 {
			visit(s)
		}
	}
}

func cycleText(round []string) string {
	const most = 12
	if len(round) > most {
		round = append(round[:most-2:most-2], "…", round[len(round)-1])
	}
	return strings.Join(round, " → ")
}

func sorted(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return words
}
