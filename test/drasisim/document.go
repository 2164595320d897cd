package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep lists and maps may nest (contract 2.1).
const maxDepth = 126

var errDepth = errors.New("recursion limit exceeded")

// A document is a tree of map[string]any, []any, string, bool, int64, uint64,
// float64 and nil.

// readYAML reads text as the server's first parser does: YAML 1.2's core
// schema, where yes and 0777 are strings; duplicate keys are refused. Without
// any content it is an empty map.
func readYAML(text []byte) (any, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if node.Kind == 0 {
		return map[string]any{}, nil
	}
	doc, err := fromNode(node.Content[0], 0)
	if err == nil && doc == nil {
		doc = map[string]any{}
	}
	return doc, err
}

func fromNode(node *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	switch node.Kind {
	case yaml.AliasNode:
		return fromNode(node.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			val, err := fromNode(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, val)
		}
		return list, nil
	case yaml.MappingNode:
		return fromMapping(node, depth)
	}
	return fromScalar(node), nil
}

func fromMapping(node *yaml.Node, depth int) (any, error) {
	object := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		if _, twice := object[key]; twice {
			return nil, duplicate(key)
		}
		val, err := fromNode(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object[key] = val
	}
	return object, nil
}

func duplicate(key string) error { return fmt.Errorf("duplicate field `%s`", key) }

func fromScalar(node *yaml.Node) any {
	quoted := node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if quoted || node.Tag == "!!str" && node.Style&yaml.TaggedStyle != 0 {
		return node.Value
	}
	switch node.Value {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	return number(node.Value)
}

// number reads a plain scalar as a number, or leaves it as a string.
func number(text string) any {
	sign, digits := "", text
	if digits[0] == '-' || digits[0] == '+' {
		sign, digits = digits[:1], digits[1:]
	}
	base := 10
	for prefix, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if strings.HasPrefix(digits, prefix) {
			base, digits = b, digits[2:]
		}
	}
	if base == 10 && len(digits) > 1 && digits[0] == '0' && isDigits(digits) {
		return text
	}
	if val, err := strconv.ParseInt(sign+digits, base, 64); err == nil {
		return val
	}
	if val, err := strconv.ParseUint(digits, base, 64); err == nil && sign != "-" {
		return val
	}
	return float(text, sign, digits)
}

func float(text, sign, digits string) any {
	switch digits {
	case ".inf", ".Inf", ".INF":
		if sign == "-" {
			return math.Inf(-1)
		}
		return math.Inf(1)
	case ".nan", ".NaN", ".NAN":
		return math.NaN()
	}
	if strings.Trim(digits, "0123456789.eE+-") != "" || !strings.ContainsAny(digits, "0123456789") {
		return text
	}
	if val, err := strconv.ParseFloat(text, 64); err == nil {
		return val
	}
	return text
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// readJSON reads text as the server's second parser does.
func readJSON(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	doc, err := jsonValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("trailing characters")
	}
	return doc, nil
}

func jsonValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	token, err := dec.Token()
	if err != nil {
		return nil, errors.New("expected value at line 1 column 1")
	}
	switch tok := token.(type) {
	case json.Delim:
		if tok == '[' {
			return jsonList(dec, depth)
		}
		return jsonObject(dec, depth)
	case json.Number:
		return number(tok.String()), nil
	}
	return token, nil
}

func jsonList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		val, err := jsonValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, val)
	}
	return list, closing(dec)
}

func jsonObject(dec *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errors.New("key must be a string")
		}
		key := fmt.Sprint(token)
		if _, twice := object[key]; twice {
			return nil, duplicate(key)
		}
		if object[key], err = jsonValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	return object, closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return failf("EOF while parsing")
	}
	return nil
}
