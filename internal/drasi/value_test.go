package drasi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/draas-io/draas/api/v1alpha1"
)

func TestConfigValuesAreCheckedWhereTheyAreKnown(t *testing.T) {
	const reference = ` or a reference like "${NAME}"`
	env := map[string]string{"SET": "5432", "EMPTY": "", "WORD": "hidden", "PLUS": "+7", "YES": "true"}
	cases := map[string]struct {
		source string
		want   string
		notice string
	}{
		"literal":             {source: "kind: postgres, port: 5432"},
		"short reference":     {source: "kind: postgres, port: '${SET}'"},
		"default":             {source: "kind: postgres, port: '${UNSET:-1}'"},
		"long reference":      {source: "kind: postgres, port: {kind: EnvironmentVariable, name: SET}"},
		"long default":        {source: "kind: postgres, port: {kind: EnvironmentVariable, name: UNSET, default: '1'}"},
		"plus sign":           {source: "kind: postgres, port: '${PLUS}'"},
		"any name":            {source: "kind: postgres, host: '${A.b-1 c:-d}'"},
		"nested is no ref":    {source: "kind: postgres, host: 'a${UNSET}'"},
		"space is no ref":     {source: "kind: postgres, host: ' ${UNSET} '"},
		"dollars are no ref":  {source: "kind: postgres, host: '$${UNSET}'"},
		"bool reference":      {source: "kind: mssql, trustServerCertificate: '${YES}'"},
		"template":            {source: "kind: http, port: 1, webhooks: {routes: [{path: /, mappings: [{template: {id: '{{a}}'}}]}]}"},
		"text in a number":    {source: "kind: postgres, port: '5432'", want: "port: must be a whole number" + reference + ", not a text: write it without quotes"},
		"number in a text":    {source: "kind: postgres, password: 12345", want: "password: must be a text, not a number: write it in quotes"},
		"boolean in a text":   {source: "kind: postgres, user: yes", want: "user: must be a text, not a boolean: write it in quotes"},
		"object in a text":    {source: "kind: postgres, user: {a: b}", want: "user: must be a text" + reference + ", not an object"},
		"list in a text":      {source: "kind: postgres, user: [a]", want: "user: must be a text" + reference + ", not a list"},
		"text in a boolean":   {source: "kind: mssql, trustServerCertificate: 'true'", want: "trustServerCertificate: must be true or false" + reference + ", not a text: write it without quotes"},
		"fraction":            {source: "kind: postgres, port: 1.5", want: "port: 1.5 is not a whole number from 0 to 65535"},
		"negative":            {source: "kind: postgres, port: -1", want: "port: -1 is not a whole number from 0 to 65535"},
		"unset":               {source: "kind: postgres, password: '${UNSET}'", want: `password: refers to the variable "UNSET", which is not set and has no default: add it to spec.env`},
		"empty name":          {source: "kind: postgres, password: '${}'", want: `password: refers to the variable "", which is not set and has no default: add it to spec.env`},
		"double braces":       {source: "kind: postgres, password: '${{V}}'", want: `password: refers to the variable "{V}", which is not set and has no default: add it to spec.env`},
		"two references":      {source: "kind: postgres, password: '${A}${B}'", want: `password: refers to the variable "A}${B", which is not set and has no default: add it to spec.env`},
		"unset, long form":    {source: "kind: postgres, password: {kind: EnvironmentVariable, name: UNSET}", want: `password: refers to the variable "UNSET", which is not set and has no default: add it to spec.env`},
		"empty is set":        {source: "kind: postgres, port: '${EMPTY:-5432}'", want: `port: the value of the variable "EMPTY" is not a whole number from 0 to 65535`},
		"wrong value":         {source: "kind: postgres, port: '${WORD}'", want: `port: the value of the variable "WORD" is not a whole number from 0 to 65535`},
		"wrong default":       {source: "kind: postgres, port: '${UNSET:-abc}'", want: `port: the default of the variable "UNSET" is not a whole number from 0 to 65535`},
		"wrong boolean":       {source: "kind: mssql, trustServerCertificate: '${WORD}'", want: `trustServerCertificate: the value of the variable "WORD" is neither true nor false`},
		"default of a number": {source: "kind: postgres, port: {kind: EnvironmentVariable, name: UNSET, default: 1}", want: "port: the default of a reference must be a text: write it in quotes"},
		"no name":             {source: "kind: postgres, port: {kind: EnvironmentVariable}", want: "port: a reference of kind EnvironmentVariable needs a name, a text"},
		"unknown kind":        {source: "kind: postgres, port: {kind: Vault, name: a}", want: `port: kind "Vault" is neither EnvironmentVariable nor Secret`},
		"secret, no store":    {source: "kind: postgres, password: {kind: Secret, name: a}", want: "password: refers to a secret, but there is no secretStore to look it up in"},
		"inside webhooks":     {source: "kind: http, port: 1, webhooks: {routes: [{path: '${UNSET}'}]}", want: `webhooks.routes[0].path: refers to the variable "UNSET", which is not set and has no default: add it to spec.env`},
		"inline bootstrap":    {source: "kind: mock, bootstrapProvider: {kind: postgres, port: '1'}", want: "bootstrapProvider.port: must be a whole number" + reference + ", not a text: write it without quotes"},
		"plain text list":     {source: "kind: postgres, tables: [on]", want: "tables[0]: must be a text, not a boolean: write it in quotes"},

		"plain takes none":   {source: "kind: postgres, slotName: '${UNSET}'", notice: "slotName is used as it is written: references to variables are not resolved there"},
		"unknown key":        {source: "kind: postgres, future: '${UNSET}'", notice: `future looks like a reference to the variable "UNSET", which is not set`},
		"unknown kind's key": {source: "kind: gtfs-rt, port: '${UNSET}'", notice: `port looks like a reference to the variable "UNSET", which is not set`},
		"unknown wrong type": {source: "kind: gtfs-rt, port: '8080'"},
		"unknown secret":     {source: "kind: kubernetes, resources: [{apiVersion: v1, kind: Secret}]"},
		"names a variable":   {source: "kind: http, port: 1, webhooks: {routes: [{auth: {bearer: {tokenEnv: UNSET}}}]}", notice: `webhooks.routes[0].auth.bearer.tokenEnv names the variable "UNSET", which is not set`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, "sources: [{id: s, "+c.source+"}]", env)
			const prefix = "spec.config.sources[0]."
			if got := strings.ReplaceAll(strings.Join(findingTexts(p), "\n"), prefix, ""); got != c.want {
				t.Errorf("finding:\n got %s\nwant %s", got, c.want)
			}
			if strings.Contains(strings.Join(findingTexts(p), ""), "hidden") {
				t.Error("the value of a variable is repeated")
			}
			if got := strings.ReplaceAll(strings.Join(p.Notices, "\n"), prefix, ""); got != c.notice {
				t.Errorf("notice:\n got %s\nwant %s", got, c.notice)
			}
		})
	}
}

func TestBooleansOfYAML11AreTurnedBackIntoWords(t *testing.T) {
	for written, want := range map[string]any{"on": "on", "off": "off", "true": "on", "notsupported": "notsupported", "'${E:-on}'": "${E:-on}"} {
		p := planOf(t, "sources: [{kind: mssql, id: s, encryption: "+written+", bootstrapProvider: {kind: mssql, encryption: "+written+"}}]", nil)
		if len(p.Findings) > 0 {
			t.Fatalf("%s: %q", written, findingTexts(p))
		}
		source, _ := mustReadAlike(t, p.Rendered)["sources"].([]any)[0].(map[string]any)
		inline, _ := source["bootstrapProvider"].(map[string]any)
		if source["encryption"] != want || inline["encryption"] != want {
			t.Errorf("%s became %v and %v", written, source["encryption"], inline["encryption"])
		}
	}
}

func TestNumbersKeepTheirText(t *testing.T) {
	const numbers = `[1e3,1.0,-0,0.10,1E-7,12345678901234.567890,9223372036854775807,-9223372036854775808]`
	config := &v1alpha1.ServerConfig{}
	if err := json.Unmarshal([]byte(`{"sources":[{"kind":"mock","id":"m","numbers":`+numbers+`}]}`), config); err != nil {
		t.Fatal(err)
	}
	p := NewPlan(Input{Config: config, Name: "demo"})
	if !strings.Contains(string(p.Rendered), numbers) {
		t.Errorf("%q\n%s", findingTexts(p), p.Rendered)
	}
}

func TestWhatWouldNotArriveAsWrittenIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 120) + "1" + strings.Repeat("}", 120)
	fits := strings.Repeat(`{"a":`, maxDepth-3) + "1" + strings.Repeat("}", maxDepth-3)
	long := strings.Repeat("x", maxText)
	cases := map[string]struct{ source, want string }{
		"2^63":            {`"a":9223372036854775808`, "spec.config.sources[0].a: numbers of 2^63 and more lose digits on their way: write it in quotes"},
		"rounded by then": {`"a":1.8446744073709552e+19`, "spec.config.sources[0].a: numbers of 2^63 and more lose digits on their way: write it in quotes"},
		"no number":       {`"a":1e999`, "spec.config.sources[0].a: numbers of 2^63 and more lose digits on their way: write it in quotes"},
		"key true":        {`"a":{"true":1}`, "spec.config.sources[0].a.true: the key true is most likely on, off, yes, no, y or n, which YAML 1.1 reads as a boolean: write the key in quotes"},
		"key false":       {`"false":1`, "spec.config.sources[0].false: the key false is most likely on, off, yes, no, y or n, which YAML 1.1 reads as a boolean: write the key in quotes"},
		"NUL":             {`"a":["x\u0000y"]`, "spec.config.sources[0].a[0]: must not contain a NUL character"},
		"NUL in a key":    {`"x\u0000y":1`, `spec.config.sources[0]["x\x00y"]: a key must not contain a NUL character`},
		"long text":       {`"a":"` + long + `x"`, "spec.config.sources[0].a: is longer than 128 KiB"},
		"long key":        {`"` + long[:1001] + `":1`, `spec.config.sources[0]: the key that begins with "` + long[:61] + `…" is longer than 1000 characters`},
		"long escaped":    {`"` + strings.Repeat(`\u0085`, 200) + `":1`, `spec.config.sources[0]: the key that begins with "` + strings.Repeat(`\u0085`, 30) + `…" is longer than 1000 characters`},
		"too deep":        {`"a":` + deep, "spec.config.sources[0]" + strings.Repeat(".a", 87) + ".…: is nested deeper than 100 levels"},
		"deep enough":     {`"a":` + fits, ""},
		"long enough":     {`"a":"` + long + `"`, ""},
		"large number":    {`"a":[9223372036854775807,-9223372036854775808,9.2e18]`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config := &v1alpha1.ServerConfig{}
			if err := json.Unmarshal([]byte(`{"sources":[{"kind":"mock","id":"m",`+c.source+`}]}`), config); err != nil {
				t.Fatal(err)
			}
			p := NewPlan(Input{Config: config, Name: "demo"})
			if diff := cmp.Diff(c.want, strings.Join(findingTexts(p), "\n")); diff != "" {
				t.Error(diff)
			}
			if c.want == "" {
				mustReadAlike(t, p.Rendered)
			}
		})
	}
}

func TestAFileOfMoreThanAMebibyteIsRefused(t *testing.T) {
	var config strings.Builder
	config.WriteString("sources:\n")
	for _, id := range strings.Split("abcdefghi", "") {
		config.WriteString("- {kind: mock, id: " + id + ", note: " + strings.Repeat("x", 120<<10) + "}\n")
	}
	p := planOf(t, config.String(), nil)
	if diff := cmp.Diff([]string{"spec.config: makes a file of 1080 KiB, more than 1024"}, findingTexts(p)); diff != "" {
		t.Error(diff)
	}
}

func TestInvalidUTF8IsRefused(t *testing.T) {
	config := &v1alpha1.ServerConfig{Extra: v1alpha1.Extra{"a": {Raw: []byte("\"\xff\"")}}}
	p := NewPlan(Input{Config: config, Name: "demo"})
	if diff := cmp.Diff([]string{"spec.config: cannot be read: it is not valid UTF-8"}, findingTexts(p)); diff != "" {
		t.Error(diff)
	}
}

func TestTextsArriveAsWritten(t *testing.T) {
	texts := []string{
		`quotes " and '`, "colon: # hash", "line\nbreak\r\n\ttab", "\u0085", "a \u0085 b", "\u2028\u2029", " \u2028 ", "😀", "\U0010ffff", "\ufeff", "\u007f\u009f",
		"\ufffe\uffff\ufffd", "a${X}b", "\\u0041 \\n", strings.Repeat("64 KiB: ü😀\u0085\n", 4096), "", " ", "<>&",
	}
	items, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	config := &v1alpha1.ServerConfig{}
	if err := json.Unmarshal([]byte(`{"sources":[{"kind":"mock","id":"m","texts":`+string(items)+`}]}`), config); err != nil {
		t.Fatal(err)
	}
	p := NewPlan(Input{Config: config, Name: "demo"})
	if len(p.Findings) > 0 {
		t.Fatalf("%q", findingTexts(p))
	}
	source, _ := mustReadAlike(t, p.Rendered)["sources"].([]any)[0].(map[string]any)
	got, _ := source["texts"].([]any)
	for i, want := range texts {
		if got[i] != want {
			t.Errorf("%q became %q", want, got[i])
		}
	}
}
