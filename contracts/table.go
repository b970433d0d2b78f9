package contracts

import "strings"

// Matrix writes the event matrix as a Markdown table, read from the contracts: what
// `stigmergy topics` shows, for the docs. Those have a test that they hold it.
func Matrix(topics []*Topic) []byte {
	var b strings.Builder
	b.WriteString("| topic | purpose | direction | producer | consumers | frequency | ordering | lane | indexed fields |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, t := range topics {
		row := []string{"`" + t.Name + "`", t.Title, t.Direction, t.Producer, strings.Join(t.Consumers, ", "),
			t.Frequency, t.Ordering, t.laneCell(), strings.Join(t.Index, ", ")}
		for i, cell := range row {
			row[i] = strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell)
		}
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return []byte(b.String())
}

// laneCell tells where a topic stands; a lane that alone may carry it is in bold.
func (t *Topic) laneCell() string {
	switch {
	case t.Owner != "":
		return "**" + t.Owner + "**"
	case t.Lane != "":
		return t.Lane
	}
	return "any"
}
