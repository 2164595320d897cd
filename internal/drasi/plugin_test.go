package drasi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReferencesNamePlugins(t *testing.T) {
	for reference, want := range map[string]string{
		"source/mock":       "source/mock",
		"source/mock:0.1.8": "source/mock",
		"ghcr.io/drasi-project/source/postgres:0.1.8-linux-amd64": "source/postgres",
		"localhost:5000/drasi/reaction/aws-sqs":                   "reaction/aws-sqs",
		"ghcr.io/drasi-project/source/mock@sha256:00ff":           "source/mock",
		"ghcr.io/drasi-project/source/mock:1@sha256:00ff":         "source/mock",
		"secret-store/file":                           "secret-store/file",
		"secret_store/file":                           "secret-store/file",
		"identity/azure":                              "identity/azure",
		"bootstrap/scriptfile":                        "bootstrap/scriptfile",
		"file:///opt/plugins/libdrasi_source_mock.so": "source/mock",
		"https://example.com/libdrasi_secret_store_azure_keyvault.so": "secret-store/azure-keyvault",
		"file:///libdrasi_secret-store_file.so":                       "secret-store/file",
		"mock":                                                        "",
		"source/":                                                     "",
		"source/*":                                                    "",
		"nonsense/mock":                                               "",
		"":                                                            "",
		"https://example.com/mock.so":                                 "",
		"file:///libdrasi_mock_mock.so":                               "",
	} {
		if got := pluginName(reference); got != want {
			t.Errorf("%q names %q, not %q", reference, got, want)
		}
	}
}

func TestPluginsAreDerivedFromKinds(t *testing.T) {
	cases := map[string]struct {
		config string
		want   []string
	}{
		"mock needs no bootstrap": {config: "sources: [{kind: mock, id: m}]", want: []string{"source/mock"}},
		"inline bootstrap":        {config: "sources: [{kind: postgres, id: m, database: d, user: u, bootstrapProvider: {kind: postgres}}]", want: []string{"bootstrap/postgres", "source/postgres"}},
		"named bootstrap":         {config: "bootstrapProviders: [{kind: scriptfile, id: b}]\nsources: [{kind: mock, id: m, bootstrapProvider: b}]", want: []string{"bootstrap/scriptfile", "source/mock"}},
		"built in":                {config: "bootstrapProviders: [{kind: noop, id: b}, {kind: application, id: c}]\nidentityProviders: [{kind: password, id: p}]\nreactions: [{kind: application, id: r}]"},
		"stores and identities":   {config: "secretStore: {kind: keyring, service: drasi}\nidentityProviders: [{kind: aws, id: p}]", want: []string{"identity/aws", "secret-store/keyring"}},
		"once each":               {config: "sources: [{kind: mock, id: a}, {kind: mock, id: b}]", want: []string{"source/mock"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, c.config, nil)
			var got []string
			for _, plugin := range p.Plugins {
				if plugin.Category+"/"+plugin.Kind != plugin.Reference {
					t.Errorf("%+v", plugin)
				}
				got = append(got, plugin.Reference)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(p.Findings) > 0 {
				t.Errorf("%s %q", diff, findingTexts(p))
			}
		})
	}
}

func TestAWrittenListPinsAndIsNotWidened(t *testing.T) {
	p := planOf(t, "plugins: [{ref: 'source/mock:0.1.8'}, {ref: reaction/log}, {ref: reaction/sse}]"+oneOfEach, nil)
	want := []Plugin{{"reaction", "log", "reaction/log"}, {"source", "mock", "source/mock:0.1.8"}}
	if diff := cmp.Diff(want, p.Plugins); diff != "" {
		t.Error(diff)
	}
	if got := strings.Join(p.Notices, "\n"); got != "spec.config.plugins names reaction/sse, which nothing uses: it is left out" {
		t.Errorf("notices: %s", got)
	}
	if strings.Contains(string(p.Rendered), `"plugins"`) {
		t.Error("the file holds a list of plugins")
	}
}
