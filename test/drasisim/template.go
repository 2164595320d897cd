package main

import (
	"fmt"
	"strings"
)

const templateReason = "invalid handlebars syntax: expected identifier, helper_parameter, block_param, or trailing_tilde_to_omit_whitespace"

// checkTemplates is the pass over reactions' Handlebars templates that comes
// before anything else is looked at (contract 2.1). It finds tags that never
// close.
func checkTemplates(doc any) error {
	root, _ := doc.(map[string]any)
	lists := []any{root["reactions"]}
	if instances, ok := root["instances"].([]any); ok {
		for _, instance := range instances {
			if fields, ok := instance.(map[string]any); ok {
				lists = append(lists, fields["reactions"])
			}
		}
	}
	for _, list := range lists {
		reactions, _ := list.([]any)
		for i, raw := range reactions {
			if err := checkReactionTemplates(i, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkReactionTemplates(i int, raw any) error {
	fields, _ := raw.(map[string]any)
	where := fmt.Sprintf("reaction[%d] (kind=%v, id=%v)", i, fields["kind"], fields["id"])
	return walkTemplates(fields, "", func(path, text string) error {
		line, column, source, bad := unclosedTag(text)
		if !bad {
			return nil
		}
		return templateError(where, path, line, column, source)
	})
}

func walkTemplates(fields map[string]any, path string, check func(path, text string) error) error {
	for _, key := range sortedKeys(fields) {
		at := strings.TrimPrefix(path+"."+key, ".")
		switch val := fields[key].(type) {
		case string:
			if key == "template" {
				if err := check(at, val); err != nil {
					return err
				}
			}
		case map[string]any:
			if err := walkTemplates(val, at, check); err != nil {
				return err
			}
		}
	}
	return nil
}

// unclosedTag finds a "{{" without its "}}".
func unclosedTag(text string) (line, column int, source string, bad bool) {
	at := 0
	for {
		open := strings.Index(text[at:], "{{")
		if open < 0 {
			return 0, 0, "", false
		}
		at += open
		end := strings.Index(text[at:], "}}")
		if end < 0 {
			break
		}
		at += end + 2
	}
	if brace := strings.IndexByte(text[at:], '}'); brace >= 0 {
		at += brace
	} else {
		at = len(text)
	}
	line = strings.Count(text[:at], "\n")
	column = at - strings.LastIndexByte(text[:at], '\n')
	return line, column, strings.Split(text, "\n")[line], true
}

// templateError has the parser's picture of the place, and all of it again as
// the cause.
func templateError(where, path string, line, column int, source string) error {
	picture := fmt.Sprintf("Template syntax error: %s %s: invalid Handlebars template - Template error: %s\n"+
		"    --> Template error in \"_validation_\":%d:%d\n     |\n%4d | %s\n     |%s\n     |\n     = reason: %s\n",
		where, path, templateReason, line+1, column, line, source, strings.Repeat("-", column), templateReason)
	caused := strings.ReplaceAll(picture, "\n", "\n    ")
	return failure("Unknown fields in configuration: " + picture + "\n\nCaused by:\n    " + caused)
}
