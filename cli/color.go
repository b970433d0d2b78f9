package cli

// style is how a piece of text looks on a terminal that shows colours.
type style string

const (
	plain  style = ""
	dim    style = "\x1b[2m"
	bold   style = "\x1b[1m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	cyan   style = "\x1b[36m"
	reset        = "\x1b[0m"
)

// paint appends text in a style; without colours just the text. The text must
// be safe already.
func paint(dst []byte, on bool, s style, text string) []byte {
	if !on || s == plain {
		return append(dst, text...)
	}
	dst = append(dst, s...)
	dst = append(dst, text...)
	return append(dst, reset...)
}
