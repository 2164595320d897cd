package main

import (
	"strings"
	"unicode"
)

// parsedQuery is as much of a query's text as the simulator understands.
type parsedQuery struct {
	labels []string
}

// nodeExpected is what the real parser wants inside a node pattern.
const nodeExpected = `")", ":", "WHERE", "` + "`" + `", "where", "{", an identifier`

// parseQuery refuses plainly broken texts: brackets or quotes that do not
// match, a missing MATCH or RETURN, something else where a node pattern's name
// belongs. It does not evaluate anything.
func parseQuery(text string) (parsedQuery, error) {
	p := queryParser{text: []rune(text)}
	p.space()
	if !p.word("MATCH") && !p.word("OPTIONAL") && !p.word("UNWIND") && !p.word("WITH") && !p.word("CALL") {
		return parsedQuery{}, p.expected(`"MATCH", "match"`)
	}
	returned, err := p.scan()
	if err != nil {
		return parsedQuery{}, err
	}
	if !returned {
		return parsedQuery{}, p.expected(`"RETURN", "WITH", "return", "with"`)
	}
	return parsedQuery{labels: p.labels}, nil
}

type queryParser struct {
	text    []rune
	at      int
	open    []rune
	labels  []string
	pattern bool
}

func closer(open rune) rune { return map[rune]rune{'(': ')', '[': ']', '{': '}'}[open] }

// scan walks the rest of the text; inside MATCH it looks at patterns.
func (p *queryParser) scan() (returned bool, err error) {
	p.pattern = true
	for p.at < len(p.text) {
		r := p.text[p.at]
		switch {
		case unicode.IsLetter(r) || r == '_':
			returned = p.clause() || returned
		case strings.ContainsRune("([{)]}", r):
			err = p.bracket(r)
		case strings.ContainsRune("'\"`", r):
			err = p.quoted(r)
		case p.starts("//"):
			p.space()
		default:
			p.at++
		}
		if err != nil {
			return returned, err
		}
	}
	if len(p.open) > 0 {
		return returned, p.expected(`"` + string(closer(p.open[len(p.open)-1])) + `"`)
	}
	return returned, nil
}

// bracket opens or closes one; in a pattern it may begin a node or a relation.
func (p *queryParser) bracket(r rune) error {
	begins := p.pattern && len(p.open) == 0
	switch {
	case strings.ContainsRune(")]}", r):
		return p.pop(r)
	case r == '(' && begins:
		return p.node()
	case r == '[' && begins:
		p.push(r)
		p.label()
		return nil
	}
	p.push(r)
	return nil
}

// clause reads a word and notes which clause it opens.
func (p *queryParser) clause() (returned bool) {
	start := p.at
	p.identifier()
	if len(p.open) > 0 {
		return false
	}
	switch strings.ToUpper(string(p.text[start:p.at])) {
	case "MATCH":
		p.pattern = true
	case "WHERE", "WITH", "SET", "UNWIND", "FILTER", "LET":
		p.pattern = false
	case "RETURN":
		p.pattern = false
		return true
	}
	return false
}

// node reads "(name:Label" and leaves the rest of the pattern to scan.
func (p *queryParser) node() error {
	p.push('(')
	p.space()
	p.identifier()
	p.label()
	if p.at >= len(p.text) {
		return p.expected(nodeExpected)
	}
	if strings.ContainsRune("([]}'\",;=<>0123456789", p.text[p.at]) {
		return p.expected(nodeExpected)
	}
	return nil
}

// label reads ":A", ":A:B" and ":A|B", after a name if there is one.
func (p *queryParser) label() {
	p.space()
	p.identifier()
	p.space()
	for p.at < len(p.text) && (p.text[p.at] == ':' || p.text[p.at] == '|') {
		p.at++
		p.space()
		start := p.at
		if p.at < len(p.text) && p.text[p.at] == '`' {
			if p.quoted('`') != nil {
				return
			}
		} else {
			p.identifier()
		}
		p.labels = append(p.labels, strings.Trim(string(p.text[start:p.at]), "`"))
		p.space()
	}
}

func (p *queryParser) push(r rune) {
	p.open = append(p.open, r)
	p.at++
}

func (p *queryParser) pop(r rune) error {
	if len(p.open) == 0 || closer(p.open[len(p.open)-1]) != r {
		return p.expected("an expression")
	}
	p.open = p.open[:len(p.open)-1]
	p.at++
	return nil
}

func (p *queryParser) quoted(mark rune) error {
	for i := p.at + 1; i < len(p.text); i++ {
		if p.text[i] == '\\' {
			i++
			continue
		}
		if p.text[i] == mark {
			p.at = i + 1
			return nil
		}
	}
	p.at = len(p.text)
	return p.expected(`"` + string(mark) + `"`)
}

func (p *queryParser) space() {
	for p.at < len(p.text) {
		switch {
		case unicode.IsSpace(p.text[p.at]):
			p.at++
		case p.starts("//"):
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

func (p *queryParser) identifier() {
	for start := p.at; p.at < len(p.text); p.at++ {
		r := p.text[p.at]
		if !unicode.IsLetter(r) && r != '_' && (p.at == start || !unicode.IsDigit(r)) {
			return
		}
	}
}

func (p *queryParser) starts(prefix string) bool {
	return p.at+len(prefix) <= len(p.text) && string(p.text[p.at:p.at+len(prefix)]) == prefix
}

func (p *queryParser) peek(word string) bool {
	return p.at+len(word) <= len(p.text) && strings.EqualFold(string(p.text[p.at:p.at+len(word)]), word)
}

func (p *queryParser) word(word string) bool {
	if !p.peek(word) {
		return false
	}
	p.at += len(word)
	return true
}

// expected words the place as the real parser does.
func (p *queryParser) expected(what string) error {
	line, column := 1, 1
	for _, r := range p.text[:min(p.at, len(p.text))] {
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return failf("Parser error: parser error: error at %d:%d: expected one of %s", line, column, what)
}
