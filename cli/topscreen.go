package cli

import (
	"fmt"
	"strings"
	"time"
)

// fullScreen draws frames on a terminal's other screen.
type fullScreen struct {
	a  *app
	in bool
}

// draw shows one look.
func (s *fullScreen) draw(l *topLook) error {
	width, height := terminalSize(s.a.out.file)
	var b strings.Builder
	if !s.in {
		s.in = true
		b.WriteString("\x1b[?1049h\x1b[?25l")
	}
	b.WriteString("\x1b[H")
	lines := l.frame(s.a, width, height)
	for i, line := range lines {
		b.WriteString(line + "\x1b[K")
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString("\x1b[J")
	if _, err := s.a.out.Write([]byte(b.String())); err != nil {
		return err
	}
	return s.a.out.flush()
}

// leave gives the terminal back as it was.
func (s *fullScreen) leave() {
	if s.in {
		_, _ = s.a.out.Write([]byte("\x1b[?25h\x1b[?1049l")) // nothing to be done about it
		_ = s.a.out.flush()
	}
}

// section is a part of a frame.
type section struct {
	head string
	rows []string
}

// frame is a look as lines for people, at most height lines of at most width
// columns; 0: as many as there are.
func (l *topLook) frame(a *app, width, height int) []string {
	parts := []section{l.topicRows(a), l.laneRows(a), l.planRows(), l.eventRows(a)}
	out := l.head()
	if height > 0 {
		room := height - len(out)
		for _, p := range parts {
			if len(p.rows) > 0 {
				room -= 2 // a blank line and the head
			}
		}
		share(parts, room)
	}
	for _, p := range parts {
		if len(p.rows) > 0 {
			out = append(append(append(out, ""), p.head), p.rows...)
		}
	}
	if height > 0 {
		out = out[:min(len(out), height)]
	}
	for i, line := range out {
		out[i] = fit(line, width)
	}
	if a.colors() {
		bolden(out)
	}
	return out
}

// share cuts sections down to the rows that there is room for: one by one, as
// long as they have any.
func share(parts []section, room int) {
	give := make([]int, len(parts))
	for gave := true; gave && room > 0; {
		gave = false
		for i := range parts {
			if give[i] < len(parts[i].rows) && room > 0 {
				give[i]++
				room--
				gave = true
			}
		}
	}
	for i := range parts {
		parts[i].rows = parts[i].rows[:give[i]]
	}
}

// head says how the board stands.
func (l *topLook) head() []string {
	up := "no daemon: stigmergy up"
	if l.Up {
		up = "up, " + l.Holder
	}
	if l.Paused != "" {
		up += "; paused: " + l.Paused
	}
	out := []string{
		visible(fmt.Sprintf("%s  %s  %s", l.Time, l.Board, up)),
		fmt.Sprintf("entries %d   not taken in %s   events %.2f/s (%d in the last minute)   disk %s free of %s",
			l.Seq, humanSize(l.Pending), l.Rate, l.Events, humanSize(l.Disk.Free), humanSize(l.Disk.All)),
	}
	stages := fmt.Sprintf("archives %d, %s of %s", l.Archives.Count, humanSize(l.Archives.Bytes), humanSize(l.Archives.RawBytes))
	for _, stage := range []string{"draining", "sealed", "rotated"} {
		if n := l.Segments[stage]; n > 0 {
			stages += fmt.Sprintf("   %s %d", stage, n)
		}
	}
	return append(out, stages)
}

func (l *topLook) topicRows(a *app) section {
	s := section{head: fmt.Sprintf("%-40s %8s %9s  %s", "TOPIC", "EVENTS", "/s", "LAST")}
	for _, t := range l.Topics {
		s.rows = append(s.rows, visible(fmt.Sprintf("%-40s %8d %9.2f  %s", t.Topic, t.Count, t.Rate, humanAge(time.Duration(a.now().UnixNano()-t.at)))))
	}
	return s
}

func (l *topLook) laneRows(*app) section {
	s := section{head: fmt.Sprintf("%-40s %9s %9s  %s", fmt.Sprintf("LANE (%d)", l.LaneSum), "SIZE", "PENDING", "CHANGED")}
	for _, x := range l.Lanes {
		at := fmt.Sprintf("%s@%d", x.Lane, x.Segment)
		row := fmt.Sprintf("%-40s %9s %9s  %s", at, humanSize(x.Size), humanSize(x.Pending), humanAge(x.age))
		if state := x.state(); state != "" {
			row += "  " + state
		}
		s.rows = append(s.rows, visible(row))
	}
	return s
}

func (l *topLook) planRows() section {
	s := section{head: fmt.Sprintf("%-40s %9s %9s  %s", "PLAN", "DONE", "FAILED", "STATE")}
	for _, p := range l.Plans {
		name := p.Name
		if len(name) > 24 {
			name = name[:24]
		}
		row := fmt.Sprintf("%-40s %9s %9d  %s%s", name+" "+p.PlanID[:min(13, len(p.PlanID))], fmt.Sprintf("%d/%d", p.Done, p.Total), p.Failed, p.State, leftText(&p.planNumbers))
		s.rows = append(s.rows, visible(row))
	}
	return s
}

func (l *topLook) eventRows(*app) section {
	s := section{head: "NEWEST EVENTS"}
	for i := range l.Newest {
		e := l.Newest[len(l.Newest)-1-i] // the newest first: the others may have no room
		row := fmt.Sprintf("%s  %s  %s", e.Time[max(0, len(e.Time)-13):], e.Position, e.Type)
		if e.Subject != "" {
			row += "  " + strings.ReplaceAll(e.Subject, "\n", " ")
		}
		s.rows = append(s.rows, visible(row+"  "+strings.ReplaceAll(string(e.Data), "\n", " ")))
	}
	return s
}

// fit cuts a line at a number of columns; 0: not at all.
func fit(line string, width int) string {
	if width <= 0 {
		return line
	}
	used := 0
	for i, r := range line {
		w := 1
		if r >= 0x1100 {
			w = 2 // at most
		}
		if used += w; used > width {
			return line[:i]
		}
	}
	return line
}

// bolden lets heads be seen.
func bolden(lines []string) {
	for i := range lines {
		if i == 0 || i > 0 && lines[i-1] == "" {
			lines[i] = string(paint(nil, true, bold, lines[i]))
		}
	}
}

// quitKey tells when q is pressed.
func (a *app) quitKey() (quit <-chan struct{}, restore func()) {
	ch := make(chan struct{})
	restore, err := keysAtOnce(a.in)
	if err != nil {
		return ch, func() {} // no terminal: Ctrl-C ends it
	}
	go func() {
		for key := [1]byte{}; key[0] != 'q' && key[0] != 'Q'; {
			if _, err := a.in.Read(key[:]); err != nil {
				return
			}
		}
		close(ch)
	}()
	return ch, restore
}
