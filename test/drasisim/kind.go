package main

import "strings"

// kindSpec is what a plugin's own configuration may hold. Fields are in the
// order in which the plugin names them when it refuses another.
type kindSpec struct {
	fields []fieldSpec
	// strict kinds refuse keys that they do not know.
	strict bool
	// open kinds are known by the sheet only: whatever they are given is taken
	// as text in ConfigValue form.
	open bool
}

type fieldSpec struct {
	name     string
	typ      byte
	required bool
}

// Types of fields: S text, H u16, W u32, L u64, Z usize, B boolean in
// ConfigValue form; s text, l list, o map, a anything as it is.
func scalarOf(typ byte) (scalar, bool) {
	want, ok := map[byte]scalar{'S': wantString, 'H': wantU16, 'W': wantU32, 'L': wantU64, 'Z': wantUsize, 'B': wantBool}[typ]
	return want, ok
}

// kindFields are the twelve plugins of the recordings, by their JSON Schemas;
// "!" marks a required field.
func kindFields() map[string]string {
	return map[string]string{
		"source/mock": "dataType:a intervalMs:L",
		"source/http": "host:S! port:H! endpoint:S timeoutMs:L adaptiveMaxBatchSize:Z adaptiveMinBatchSize:Z " +
			"adaptiveMaxWaitMs:L adaptiveMinWaitMs:L adaptiveWindowSecs:L adaptiveEnabled:B webhooks:o durability:o",
		"source/grpc": "host:S port:H endpoint:S timeoutMs:L durability:o",
		"source/postgres": "host:S port:H database:S! user:S! password:S tables:l slotName:s publicationName:s " +
			"sslMode:S tableKeys:l",
		"bootstrap/postgres": "host:S port:H database:S! user:S! password:S tables:l slotName:s publicationName:s " +
			"sslMode:S tableKeys:l",
		"bootstrap/scriptfile":  "filePaths:l",
		"bootstrap/noop":        "",
		"bootstrap/application": "",
		"reaction/application":  "",
		"reaction/log":          "routes:o defaultTemplate:o",
		"reaction/sse":          "host:S port:H ssePath:S heartbeatIntervalMs:L routes:o defaultTemplate:o",
		"reaction/http":         "baseUrl:S token:S timeoutMs:L priorityQueueCapacity:L outputTemplates:o adaptive:o batchEndpoint:S recoveryPolicy:s",
		"reaction/grpc": "endpoint:S! timeoutMs:L maxRetries:W connectionRetryAttempts:W initialConnectionTimeoutMs:L " +
			"metadata:o outputFormat:s batching:o outputTemplates:o recoveryPolicy:s",
		"reaction/profiler":  "windowSize:Z reportIntervalSecs:L",
		"source/sqlite":      "path:S tables:l tableKeys:l restApi:o",
		"reaction/dashboard": "host:S port:H heartbeatIntervalMs:L predefinedDashboards:a",
		"reaction/mcp":       "host:S port:H bearerToken:S maxSessions:L routes:o",
	}
}

// lenient kinds take unknown keys silently.
func lenient(ref string) bool {
	return map[string]bool{
		"bootstrap/noop": true, "bootstrap/application": true, "reaction/application": true,
		"reaction/log": true, "reaction/sse": true, "reaction/grpc": true,
		"source/sqlite": true, "reaction/dashboard": true, "reaction/mcp": true,
	}[ref]
}

func specOf(category, kind string) kindSpec {
	text, ok := kindFields()[category+"/"+kind]
	if !ok {
		return kindSpec{open: true}
	}
	spec := kindSpec{strict: !lenient(category + "/" + kind)}
	for _, word := range strings.Fields(text) {
		name, typ, _ := strings.Cut(word, ":")
		spec.fields = append(spec.fields, fieldSpec{name: name, typ: typ[0], required: strings.HasSuffix(typ, "!")})
	}
	return spec
}

// construct reads a plugin's configuration as the plugin would, and gives its
// resolved scalars.
func construct(category, kind string, props map[string]any, env environment, store secrets) (map[string]any, error) {
	spec := specOf(category, kind)
	if spec.open {
		return constructOpen(props, env, store)
	}
	names := make([]string, len(spec.fields))
	for i, field := range spec.fields {
		names[i] = field.name
	}
	if unknown := firstUnknown(props, names); unknown != "" && spec.strict {
		return nil, unknownField(unknown, names)
	}
	resolved := map[string]any{}
	values := map[string]configValue{}
	for _, field := range spec.fields {
		raw, ok := props[field.name]
		if !ok || raw == nil {
			if field.required {
				return nil, failf("missing field `%s`", field.name)
			}
			continue
		}
		if err := readField(field, raw, values, resolved); err != nil {
			return nil, err
		}
	}
	for _, name := range sortedKeys(values) {
		val, err := values[name].resolve(env, store)
		if err != nil {
			return nil, err
		}
		resolved[name] = val
	}
	return resolved, nil
}

func readField(field fieldSpec, raw any, values map[string]configValue, resolved map[string]any) error {
	if want, ok := scalarOf(field.typ); ok {
		val, err := parseValue(raw, want)
		values[field.name] = val
		return err
	}
	var ok bool
	want := scalar("a string")
	switch field.typ {
	case 's':
		_, ok = raw.(string)
	case 'l':
		_, ok = raw.([]any)
		want = "a sequence"
	case 'o':
		_, ok = raw.(map[string]any)
		want = "a map"
	default:
		ok = true
	}
	if !ok {
		return wrongType(raw, want)
	}
	resolved[field.name] = raw
	return nil
}

func constructOpen(props map[string]any, env environment, store secrets) (map[string]any, error) {
	resolved := map[string]any{}
	for _, name := range sortedKeys(props) {
		resolved[name] = props[name]
		text, isText := props[name].(string)
		object, isObject := props[name].(map[string]any)
		_, _, isReference := reference(text)
		isForm := isObject && (object["kind"] == "EnvironmentVariable" || object["kind"] == "Secret")
		if !isText && !isForm || isText && !isReference {
			continue
		}
		val, err := parseValue(props[name], wantString)
		if err != nil {
			return nil, err
		}
		if resolved[name], err = val.resolve(env, store); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}
