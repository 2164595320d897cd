package contract

import "testing"

// Contract 2.4: what a ConfigValue field makes of a text, read from the
// instance's id.
func TestReferences(t *testing.T) {
	t.Parallel()
	table := map[string]struct {
		text string
		env  map[string]string
		want string
	}{
		"set":                        {"${V}", map[string]string{"V": "x"}, "x"},
		"set beats the default":      {"${V:-d}", map[string]string{"V": "x"}, "x"},
		"default of an unset one":    {"${V:-d}", nil, "d"},
		"text before":                {"a${V}", map[string]string{"V": "x"}, "a${V}"},
		"text after":                 {"${V}a", map[string]string{"V": "x"}, "${V}a"},
		"blank before":               {" ${V}", map[string]string{"V": "x"}, " ${V}"},
		"no braces":                  {"$V", map[string]string{"V": "x"}, "$V"},
		"two dollars":                {"$${V}", map[string]string{"V": "x"}, "$${V}"},
		"two references are one":     {"${A}${B:-d}", map[string]string{"A": "x", "B": "y"}, "d"},
		"default is taken literally": {"${V:-${A}}", map[string]string{"A": "x"}, "${A}"},
		"default with a separator":   {"${V:-a:-b}", nil, "a:-b"},
		"any name":                   {"${v-x.1}", map[string]string{"v-x.1": "x"}, "x"},
	}
	for name, c := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newServer(t)
			f.config["id"] = c.text
			for name, val := range c.env {
				f.env[name] = val
			}
			f.up()
			if got := f.list("/api/v1/instances")[0]["id"]; got != c.want {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}

// Contract 2.4: a variable set to nothing is nothing, not its default.
func TestSetButEmptyIsEmpty(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.config["id"] = "${V:-d}"
	f.env["V"] = ""
	f.up()
	if got := f.list("/api/v1/instances")[0]["id"]; got != "" {
		t.Errorf("got %v, want the empty id", got)
	}
}

// Contract 2.4: the long form.
func TestLongForm(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.config["id"] = object{"kind": "EnvironmentVariable", "name": "V", "default": "x"}
	f.up()
	if got := f.list("/api/v1/instances")[0]["id"]; got != "x" {
		t.Errorf("got %v", got)
	}
}

// Contract 2.4: typed fields are parsed from the text of a variable, also of
// the API port.
func TestTypedFieldsParseVariables(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["port"] = "${P}"
	f.env["P"] = itoa(f.port)
	f.config["sources"] = []any{with(mock("m"), "intervalMs", "${IV:-250}")}
	f.up()
	f.status("/api/v1/instances/t/sources/m", "Running")
}

// Contract 2.4: fields that are not ConfigValue are taken as they are written.
func TestPlainFieldsAreLiteral(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.env["X"] = "m"
	f.config["sources"] = []any{mock("${X}")}
	f.config["queries"] = []any{counting("q", "${X}")}
	f.up()
	if got := f.list("/api/v1/instances/t/sources")[1]["id"]; got != "${X}" {
		t.Errorf("id %v", got)
	}
}

// Contract 2.4: the snapshot shows a reference, not its value.
func TestSnapshotKeepsReferences(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.env["IV"] = "250"
	f.config["sources"] = []any{with(mock("m"), "intervalMs", "${IV}")}
	f.up()
	source := objects(t, f.item("/api/v1/instances/t/snapshot")["sources"])[1]
	if properties, ok := source["properties"].(map[string]any); !ok || properties["intervalMs"] != "${IV}" {
		t.Errorf("source: %v", source)
	}
}

// Contract 2.4 and 1.4: what plugins refuse about values.
func TestBadValuesOfComponents(t *testing.T) {
	t.Parallel()
	interval := func(val any) func(object) {
		return func(c object) { c["sources"] = []any{with(mock("m"), "intervalMs", val)} }
	}
	const begin = "Error: Failed to create source 'm': "
	refusals(t, map[string]refusal{
		"literal of another type": {
			change: interval("abc"),
			stderr: begin + "Failed to deserialize as static value: invalid type: string \"abc\", expected u64\n",
		},
		"number as text": {
			change: interval("300"),
			stderr: begin + "Failed to deserialize as static value: invalid type: string \"300\", expected u64\n",
		},
		"unset": {
			change: interval("${NOPE}"), stderr: begin + "Environment variable 'NOPE' not found and no default provided\n",
		},
		"not a number": {
			change: interval("${IV}"), env: map[string]string{"IV": "abc"},
			stderr: begin + "Failed to parse value: Failed to parse env var 'IV': invalid digit found in string\n",
		},
		"set but empty": {
			change: interval("${IV:-300}"), env: map[string]string{"IV": ""},
			stderr: begin + "Failed to parse value: Failed to parse env var 'IV': ",
		},
		"secret without a store": {
			change: interval(object{"kind": "Secret", "name": "iv"}),
			stderr: begin + "Not implemented: Secret resolution not yet implemented for 'iv'\n",
		},
	})
}

// Contract 2.9: a file secret store resolves names inside plugins' fields.
func TestFileSecretStore(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.write("sec.json", `{"iv":"250"}`)
	f.config["secretStore"] = object{"kind": "file", "path": "./sec.json"}
	f.config["sources"] = []any{with(mock("m"), "intervalMs", object{"kind": "Secret", "name": "iv"})}
	f.up()
	f.status("/api/v1/instances/t/sources/m", "Running")
}
