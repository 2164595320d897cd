package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/hack/controlplane"
)

// instancesPath is where DrasiInstances are listed and watched.
const instancesPath = "/apis/draas.io/v1alpha1/drasiinstances"

// proxy stands between one part of the product and the API server. It can keep news of DrasiInstances back, show them as they once were, and lose the
// reply of a write. Everything else passes. Lists that are streamed as a watch are refused, so that clients ask for a list.
type proxy struct {
	file   string // a kubeconfig with which the part comes through the proxy
	server *httptest.Server
	target *url.URL
	client *http.Client // of the API server, with the part's rights

	mu sync.Mutex
	// gate is closed while what is watched may pass.
	gate chan struct{}
	// withheld counts the pieces of watches that the gate has kept back.
	withheld int
	// old is what lists are answered with; nil: the truth.
	old []byte
	// lists and watches count those that were asked for, and not refused, since connections were last cut.
	lists, watches int
	// expired says that watches are refused until there was a list.
	expired bool
	// lose says of which write the reply is lost, once.
	lose func(*exchange) bool
	seen []*exchange
}

// exchange is a request and what became of it.
type exchange struct {
	method, path string
	body         []byte
	code         int // zero while there is no answer
	lost         bool
}

type exchangeKey struct{}

var errLost = errors.New("this reply is lost for the test")

// newProxy starts a proxy for a part with the rights of a ServiceAccount. It ends after the hosts that are made later.
func newProxy(account string) *proxy {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig(account))
	Expect(err).NotTo(HaveOccurred())
	p := &proxy{gate: make(chan struct{})}
	close(p.gate)
	p.client, err = rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	p.target, err = url.Parse(config.Host)
	Expect(err).NotTo(HaveOccurred())
	relay := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(p.target) },
		Transport:      p.client.Transport,
		FlushInterval:  -1,
		ErrorLog:       log.New(GinkgoWriter, "proxy: ", 0),
		ModifyResponse: p.reply,
		// A client is never told what the API server did not say.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == instancesPath && p.answer(w, r) {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		e := &exchange{method: r.Method, path: r.URL.Path, body: body}
		p.note(e)
		relay.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e)))
	}))
	DeferCleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	p.file = filepath.Join(GinkgoT().TempDir(), "proxy.kubeconfig")
	Expect(controlplane.WriteKubeconfig(p.file, &rest.Config{Host: p.server.URL})).To(Succeed())
	return p
}

// behind starts a host whose agent sees the API server through a proxy.
func behind(ctx context.Context) (*proxy, *host) {
	GinkgoHelper()
	p := newProxy("draas-agent")
	h := startHost(ctx, "--kubeconfig", p.file)
	DeferCleanup(p.truth)
	return p, h
}

// answer answers a list or a watch of instances itself, where the truth shall not be told.
func (p *proxy) answer(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	query := r.URL.Query()
	switch {
	case isWatch(r) && query.Get("sendInitialEvents") == "true":
		refuse(w, apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "ListOptions"}, "", nil))
	case isWatch(r) && p.expired:
		refuse(w, apierrors.NewResourceExpired("the proxy has forgotten what was"))
	case isWatch(r):
		p.watches++
		return false
	default:
		p.lists++
		p.expired = false
		if p.old == nil {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(p.old) // the client may be gone
	}
	return true
}

func isWatch(r *http.Request) bool {
	value := r.URL.Query().Get("watch")
	return value == "true" || value == "1"
}

// refuse answers as an API server does that refuses.
func refuse(w http.ResponseWriter, reason *apierrors.StatusError) {
	status := reason.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status) // the client may be gone
}

// note notes a request before it is sent: its effect can be seen before its reply is, and who then sets a mark must not find it after it.
func (p *proxy) note(e *exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, e)
}

// reply notes what the API server answered, and loses it or lets it through the gate.
func (p *proxy) reply(reply *http.Response) error {
	e, _ := reply.Request.Context().Value(exchangeKey{}).(*exchange)
	p.mu.Lock()
	defer p.mu.Unlock()
	e.code = reply.StatusCode
	if p.lose != nil && e.done() && p.lose(e) {
		p.lose, e.lost = nil, true
		return errors.Join(errLost, reply.Body.Close())
	}
	if e.path == instancesPath && isWatch(reply.Request) {
		reply.Body = &gated{ReadCloser: reply.Body, lifetime: reply.Request.Context(), p: p}
	}
	return nil
}

// gated is what is watched. It passes while the gate is open.
type gated struct {
	io.ReadCloser

	lifetime context.Context //nolint:containedctx // a reader has no call's context
	p        *proxy
}

// Read reads, and keeps back what it has read until the gate is open.
func (g *gated) Read(piece []byte) (int, error) {
	n, err := g.ReadCloser.Read(piece)
	g.p.mu.Lock()
	gate := g.p.gate
	select {
	case <-gate:
	default:
		g.p.withheld++
	}
	g.p.mu.Unlock()
	select {
	case <-gate:
		return n, err
	case <-g.lifetime.Done():
		return 0, g.lifetime.Err()
	}
}

// view is what the part sees now of the instances that the query selects, with which it lists them.
func (p *proxy) view(ctx context.Context, query string) []byte {
	GinkgoHelper()
	at := *p.target
	at.Path, at.RawQuery = instancesPath, query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	reply, err := p.client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(reply.Body.Close()).To(Succeed()) }()
	Expect(reply.StatusCode).To(Equal(http.StatusOK))
	text, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// placedOn is the query with which the agent of a host lists its instances.
func placedOn(h *host) string {
	return url.Values{"fieldSelector": {v1alpha1.FieldStatusHost + "=" + h.name}}.Encode()
}

// show shows an old view in place of the truth, and nothing that came after it. Every connection is cut, so that the part asks.
func (p *proxy) show(old []byte) {
	p.mu.Lock()
	p.old = old
	p.shut()
	p.mu.Unlock()
	p.cut()
}

// shown says whether the part has taken what it was shown, and watches.
func (p *proxy) shown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lists > 0 && p.watches > 0
}

// hold keeps back what is watched.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut()
}

// shut closes the gate.
func (p *proxy) shut() { p.gate, p.withheld = make(chan struct{}), 0 }

// kept counts what is kept back.
func (p *proxy) kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.withheld
}

// truth has everything pass. Who watches goes on where it was: what it has not seen comes one after the other.
func (p *proxy) truth() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old, p.expired, p.lose = nil, false, nil
	p.open()
}

// present has everything pass, after it has cut every connection. Who was watching must ask for a list: what has come and gone is never seen.
func (p *proxy) present() {
	p.cut()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old = nil
	p.open()
}

// open opens the gate.
func (p *proxy) open() {
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// cut cuts every connection. Watches are refused until there was a list.
func (p *proxy) cut() {
	p.mu.Lock()
	p.expired, p.lists, p.watches = true, 0, 0
	p.mu.Unlock()
	p.server.CloseClientConnections()
}

// loseReply loses the reply of the next write of that kind which the API server has carried out.
func (p *proxy) loseReply(which func(*exchange) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = which
}

// mark is a place in what was exchanged.
func (p *proxy) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}

// since counts the exchanges of a kind after a mark.
func (p *proxy) since(mark int, which func(*exchange) bool) (count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.seen[mark:] {
		if which(e) {
			count++
		}
	}
	return count
}

// done says that it is a write, and that the API server has carried it out.
func (e *exchange) done() bool {
	return e.method != http.MethodGet && e.code != 0 && e.code < http.StatusMultipleChoices
}

// of says whether an exchange is about an instance.
func (e *exchange) of(name string) bool {
	return strings.HasSuffix(e.path, "/drasiinstances/"+name) || strings.HasSuffix(e.path, "/drasiinstances/"+name+"/status")
}

// says tells whether it is a write to an instance whose new status has a condition with that status and reason; an empty reason is any.
func (e *exchange) says(name, condition, reason string) bool {
	var patch v1alpha1.DrasiInstance
	if e.method != http.MethodPatch || !e.of(name) || json.Unmarshal(e.body, &patch) != nil {
		return false
	}
	for _, c := range patch.Status.Conditions {
		if c.Type == condition && c.Status == "True" && (reason == "" || c.Reason == reason) {
			return true
		}
	}
	return false
}

// asksFor counts what was asked for on its own.
func asksFor(name string) func(*exchange) bool {
	return func(e *exchange) bool { return e.method == http.MethodGet && e.of(name) }
}

// refusedTo are writes that the API server refused since they were made from an old view.
func refusedTo(name string) func(*exchange) bool {
	return func(e *exchange) bool {
		return e.method == http.MethodPatch && e.of(name) && e.code == http.StatusConflict
	}
}

// doneTo are writes that the API server has carried out.
func doneTo(names ...string) func(*exchange) bool {
	return func(e *exchange) bool {
		for _, name := range names {
			if e.of(name) && e.done() {
				return true
			}
		}
		return false
	}
}

// lost says that nobody was told that it was carried out.
func lost(e *exchange) bool { return e.lost }

// finalizers counts the finalizers that a patch leaves; -1: it says nothing of them.
func (e *exchange) finalizers() int {
	var patch struct {
		Metadata map[string]json.RawMessage `json:"metadata"`
	}
	var list []string
	if json.Unmarshal(e.body, &patch) != nil || patch.Metadata["finalizers"] == nil || json.Unmarshal(patch.Metadata["finalizers"], &list) != nil {
		return -1
	}
	return len(list)
}
