package drasi

import "strings"

// keyTypes are the known keys of a kind by their path: a.b is key b of the object at a, a[].b of each object of the list at a, a.* every key of
// the object at a. A * stands for one key.
type keyTypes map[string]valueType

// isCommonKey says whether the server itself takes a key out of a component or a provider.
func isCommonKey(key string) bool {
	switch key {
	case "kind", "id", "autoStart", "bootstrapProvider", "identityProvider", "queries":
		return true
	default:
		return false
	}
}

// kindKeys are the known keys of a kind; nil where the kind is not known.
func kindKeys(category, kind string) keyTypes {
	switch category {
	case "source":
		return sourceKeys(kind)
	case "reaction":
		return reactionKeys(kind)
	case "bootstrap":
		return bootstrapKeys(kind)
	case "identity":
		return identityKeys(kind)
	default:
		return nil
	}
}

// keys checks the keys of a component or provider by what is known of its kind. Of the other keys unresolvable references are mentioned.
func (p *planner) keys(e entry, category, kind string, values *values) {
	walk := keyWalk{types: kindKeys(category, kind), values: values}
	for _, key := range sortedKeys(e.object) {
		if !isCommonKey(key) {
			walk.node(child(e.path, key), patternKey(key), e.object[key])
		}
	}
}

// keyWalk goes through a tree along with the types of its keys.
type keyWalk struct {
	types  keyTypes
	values *values
}

func (w *keyWalk) node(field, pattern string, value any) {
	t, known := w.typeOf(pattern)
	if known {
		w.values.scalar(field, value, t)
		if t.base() != anyType {
			return
		}
	} else {
		w.values.unknown(field, value)
	}
	switch value := value.(type) {
	case object:
		for _, key := range sortedKeys(value) {
			w.node(child(field, key), pattern+"."+patternKey(key), value[key])
		}
	case []any:
		for i, item := range value {
			w.node(element(field, i), pattern+"[]", item)
		}
	}
}

// patternKey is a key as it stands in a path of keyTypes: characters that mean something there are none of a known key's.
func patternKey(key string) string {
	return strings.NewReplacer(".", "\x00", "[", "\x00", "*", "\x00").Replace(key)
}

// typeOf is the type of a key by its own path, or by one in which a * stands for a key on the way.
func (w *keyWalk) typeOf(pattern string) (valueType, bool) {
	if t, known := w.types[pattern]; known {
		return t, true
	}
	parts := strings.Split(pattern, ".")
	for i := 1; i < len(parts); i++ {
		own := parts[i]
		parts[i] = "*"
		if t, known := w.types[strings.Join(parts, ".")]; known {
			return t, true
		}
		parts[i] = own
	}
	return anyType, false
}

// turnBackWords turns booleans into the words on and off where a key has these words, which YAML 1.1 reads as booleans.
func (p *planner) turnBackWords() {
	turn := func(category string) func(object) {
		return func(o object) { turnBack(o, kindKeys(category, text(o, "kind"))) }
	}
	eachObject(p.root, "sources", func(o object) {
		turn("source")(o)
		if inline, isObject := o["bootstrapProvider"].(object); isObject {
			turn("bootstrap")(inline)
		}
	})
	eachObject(p.root, "reactions", turn("reaction"))
	eachObject(p.root, "bootstrapProviders", turn("bootstrap"))
	eachObject(p.root, "identityProviders", turn("identity"))
}

func turnBack(o object, types keyTypes) {
	for key, t := range types {
		if truth, isBool := o[key].(bool); isBool && t.has(onOffFlag) {
			o[key] = map[bool]string{true: "on", false: "off"}[truth]
		}
	}
}
