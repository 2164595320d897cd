package drasi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A configuration is handled as a tree of JSON values in which numbers keep their written text, so that no key of the user's changes on its
// way: object, []any, string, json.Number, bool and nil.
type object = map[string]any

// Bounds of a configuration.
const (
	// maxDepth is the deepest nesting: the server refuses about 126 levels (2.1).
	maxDepth = 100
	// maxText is the longest text in bytes, the texts of queries apart.
	maxText = 128 << 10
	// maxKey is the longest key in characters as written: YAML's limit, which the server's parser keeps, is 1024 with the quotes.
	maxKey = 1000
	// maxFile is the largest configuration file.
	maxFile = 1 << 20
)

// decodeObject reads a JSON object.
func decodeObject(raw []byte) (object, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("it is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var root object
	if err := decoder.Decode(&root); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode JSON: something follows the object")
	}
	if root == nil {
		root = object{}
	}
	return root, nil
}

// copyTree is a deep copy.
func copyTree(node any) any {
	switch node := node.(type) {
	case object:
		out := make(object, len(node))
		for key, value := range node {
			out[key] = copyTree(value)
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i, value := range node {
			out[i] = copyTree(value)
		}
		return out
	default:
		return node
	}
}

// sortedKeys are the keys of an object in order.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// text is the text at a key, or nothing.
func text(o object, key string) string {
	s, _ := o[key].(string)
	return s
}

// texts are the texts of a list at a key.
func texts(o object, key string) []string {
	list, _ := o[key].([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// truth is the boolean at a key, or the default.
func truth(o object, key string, byDefault bool) bool {
	b, ok := o[key].(bool)
	if !ok {
		return byDefault
	}
	return b
}

// shapeCheck checks what holds for every key of a configuration, known or not.
type shapeCheck struct {
	out *report
	// deep says that a too deep nesting was found already.
	deep bool
}

func (s *shapeCheck) object(path string, node object, depth int) {
	for _, key := range sortedKeys(node) {
		s.key(path, key)
		s.node(child(path, key), node[key], depth)
	}
}

func (s *shapeCheck) key(path, key string) {
	field := child(path, key)
	switch {
	case key == "true" || key == "false":
		s.out.refuse(field, "the key %s is most likely on, off, yes, no, y or n, which YAML 1.1 reads as a boolean: write the key in quotes", key)
	case strings.ContainsRune(key, 0):
		s.out.refuse(field, "a key must not contain a NUL character")
	case len(key) > maxKey/6 && writtenLength(key) > maxKey:
		s.out.refuse(path, "the key that begins with %s is longer than %d characters", quoted(key), maxKey)
	}
}

func (s *shapeCheck) node(path string, node any, depth int) {
	switch node := node.(type) {
	case object:
		if s.deeper(path, depth+1) {
			s.object(path, node, depth+1)
		}
	case []any:
		if s.deeper(path, depth+1) {
			for i, item := range node {
				s.node(element(path, i), item, depth+1)
			}
		}
	case string:
		s.text(path, node)
	case json.Number:
		if !fitsInt64(node.String()) {
			s.out.refuse(path, "numbers of 2^63 and more lose digits on their way: write it in quotes")
		}
	}
}

func (s *shapeCheck) deeper(path string, depth int) bool {
	if depth <= maxDepth {
		return true
	}
	if !s.deep {
		s.out.refuse(path, "is nested deeper than %d levels", maxDepth)
	}
	s.deep = true
	return false
}

func (s *shapeCheck) text(path, value string) {
	switch {
	case strings.ContainsRune(value, 0):
		s.out.refuse(path, "must not contain a NUL character")
	case len(value) > maxText && !isQueryText(path):
		s.out.refuse(path, "is longer than %d KiB", maxText>>10)
	}
}

// isQueryText says whether a path is that of a query's text, which has a bound of its own in the schema.
func isQueryText(path string) bool {
	return strings.HasPrefix(path, configPath+".queries[") && strings.HasSuffix(path, "].query") &&
		strings.Count(path, ".") == strings.Count(configPath, ".")+2
}

// fitsInt64 says whether a number is below 2^63 in size: what is beyond is no longer what was written when it arrives here.
func fitsInt64(number string) bool {
	if _, err := strconv.ParseInt(number, 10, 64); err == nil {
		return true
	}
	if !strings.ContainsAny(number, ".eE") {
		return false
	}
	value, err := strconv.ParseFloat(number, 64)
	return err == nil && math.Abs(value) < 1<<63
}
