package drasi

import (
	"encoding/json"
	"unicode/utf8"
)

// encodeTree writes a tree as JSON: keys sorted, no white space, the same bytes for the same tree.
//
// The server reads the file as YAML first (2.1), so what YAML treats otherwise than JSON is escaped: U+007F to U+009F, the line and
// paragraph separators, the byte order mark, U+FFFE and U+FFFF. Characters above U+FFFF stand raw.
func encodeTree(node any) []byte {
	return appendNode(nil, node)
}

func appendNode(out []byte, node any) []byte {
	switch node := node.(type) {
	case object:
		out = append(out, '{')
		for i, key := range sortedKeys(node) {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendText(out, key)
			out = append(out, ':')
			out = appendNode(out, node[key])
		}
		return append(out, '}')
	case []any:
		out = append(out, '[')
		for i, item := range node {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendNode(out, item)
		}
		return append(out, ']')
	case string:
		return appendText(out, node)
	case json.Number:
		return append(out, node.String()...)
	case bool:
		if node {
			return append(out, "true"...)
		}
		return append(out, "false"...)
	default:
		return append(out, "null"...)
	}
}

func appendText(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, '\\', 'n')
		case r == '\t':
			out = append(out, '\\', 't')
		case mustEscape(r):
			out = appendEscape(out, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

func mustEscape(r rune) bool {
	return r < 0x20 || 0x7f <= r && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff
}

func appendEscape(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// writtenLength is how many characters a text takes in the file, without its quotes.
func writtenLength(s string) int {
	return utf8.RuneCount(appendText(nil, s)) - len(`""`)
}
