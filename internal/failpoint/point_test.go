package failpoint

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// armed returns points that count their deaths instead of dying.
func armed(t *testing.T, crash string) (p *Points, deaths *int) {
	t.Helper()
	p, deaths = New(t.TempDir(), "part"), new(int)
	p.die = func() { *deaths++ }
	if err := os.WriteFile(Armed(p.dir, "part"), []byte(crash), 0o600); err != nil {
		t.Fatal(err)
	}
	return p, deaths
}

func passed(t *testing.T, p *Points) []string {
	t.Helper()
	text, err := os.ReadFile(Passed(p.dir, p.part))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestAPartDiesOnceAtTheNthPass(t *testing.T) {
	p, deaths := armed(t, "after clone 2")
	for i, pass := range []struct {
		when  When
		point string
		dead  int
	}{{Before, "clone", 0}, {After, "clone", 0}, {After, "kill", 0}, {Before, "clone", 0}, {After, "clone", 1}, {After, "clone", 1}} {
		p.Pass(pass.when, pass.point, "")
		if *deaths != pass.dead {
			t.Fatalf("%d deaths at pass %d", *deaths, i)
		}
	}
	want := []string{"before clone", "after clone", "after kill", "before clone", "after clone", "died after clone 2", "after clone"}
	if got := passed(t, p); !slices.Equal(got, want) {
		t.Errorf("passed %q", got)
	}
}

func TestADeathCanFollowAnother(t *testing.T) {
	p, deaths := armed(t, "before clone 1\nafter kill 1")
	for i, want := range []int{1, 1, 2, 2} {
		p.Pass([]When{Before, Before, After, After}[i], []string{"clone", "clone", "kill", "kill"}[i], "")
		if *deaths != want {
			t.Fatalf("%d deaths at pass %d, want %d", *deaths, i, want)
		}
	}
	if _, err := os.Stat(Armed(p.dir, p.part)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still armed: %v", err)
	}
}

func TestACrashCanBeLimitedToAnObject(t *testing.T) {
	p, deaths := armed(t, "before place 1 mine")
	p.Pass(Before, "place", "other")
	if *deaths != 0 {
		t.Error("it died at another object")
	}
	p.Pass(Before, "place", "mine")
	if *deaths != 1 {
		t.Error("it did not die")
	}
}

func TestWhatIsNoCrashIsRefused(t *testing.T) {
	for _, text := range []string{"", "before", "while clone 1", "before clone x", "before clone 0"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	for _, text := range []string{"before clone 1", "after place 3 shop"} {
		if crash, err := Parse(text); err != nil || crash.String() != text {
			t.Errorf("%q became %q, %v", text, crash, err)
		}
	}
}

func TestAfterAWriteMeansThatTheServerHasAnswered(t *testing.T) {
	p, deaths := armed(t, "after register 1")
	answered := 0
	transport := p.Wrap(roundTripper(func(*http.Request) (*http.Response, error) {
		if *deaths > 0 {
			t.Error("it died before the answer")
		}
		answered++
		return &http.Response{Body: http.NoBody}, nil
	}))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		reply, err := transport.RoundTrip(httptest.NewRequest(method, "/apis/draas.io/v1alpha1/drasihosts", http.NoBody))
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
	}
	if answered != 2 || *deaths != 1 {
		t.Errorf("%d answers, %d deaths", answered, *deaths)
	}
	if got, want := passed(t, p), []string{"before register", "after register", "died after register 1"}; !slices.Equal(got, want) {
		t.Errorf("passed %q", got)
	}
}
