package drasi

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	// colours are the sequences by which a terminal is told to colour text (1.7).
	colours = regexp.MustCompile(`\x1b\[[0-9;:]*[A-Za-z]`)
	// timeStamp is what a line of the server's log begins with.
	timeStamp = regexp.MustCompile(`^\[?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?\]?[ \t]+`)
)

// plainLine is a line without colours and without its time stamp.
func plainLine(line string) string {
	return timeStamp.ReplaceAllString(colours.ReplaceAllString(line, ""), "")
}

// oneLine makes a text fit into a message: valid, without control characters, white space folded, at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || r == '\ufeff':
			return -1
		default:
			return r
		}
	}, text)
	return shortened(strings.Join(strings.Fields(text), " "), limit)
}
