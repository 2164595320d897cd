// Command crd finishes generated CRDs: a schema that preserves unknown fields and has the type string is that of a v1alpha1.Value, which
// takes texts, numbers, booleans and objects. controller-gen cannot bound the length of a schema without a type, so the type is taken out here.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crd DIRECTORY")
		os.Exit(2)
	}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.yaml"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no *.yaml in %s", os.Args[1])
	}
	for _, file := range files {
		if err == nil {
			err = finish(file)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crd:", err)
		os.Exit(1)
	}
}

func finish(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("parse %s: %w", file, err)
	}
	untype(&document)
	var out bytes.Buffer
	out.WriteString("---\n")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return fmt.Errorf("encode %s: %w", file, err)
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// untype removes the type of every schema below node that stands for a Value.
func untype(node *yaml.Node) {
	if node.Kind == yaml.MappingNode && scalar(node, "type") == "string" && scalar(node, "x-kubernetes-preserve-unknown-fields") == "true" {
		for i := 0; i < len(node.Content); i += 2 {
			if node.Content[i].Value == "type" {
				node.Content = append(node.Content[:i], node.Content[i+2:]...)
				break
			}
		}
	}
	for _, child := range node.Content {
		untype(child)
	}
}

// scalar returns the text of a mapping's scalar value.
func scalar(mapping *yaml.Node, key string) string {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key && mapping.Content[i+1].Kind == yaml.ScalarNode {
			return mapping.Content[i+1].Value
		}
	}
	return ""
}
