package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

// bindWait is how long an http source looks for a bind error (contract 6.2).
const bindWait = 500 * time.Millisecond

// listen opens a listener that nothing but its owner closes.
func listen(at string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", at)
}

func startSource(c *component, f *faults) error {
	switch c.kind {
	case "component_graph":
		c.set(statusRunning, "Component graph source running")
		return nil
	case "http":
		if err := startHTTPSource(c); err != nil {
			return fail(c, err)
		}
	case "postgres":
		if err := startPostgres(c); err != nil {
			return fail(c, err)
		}
	case "grpc":
		listenHidden(c, "[plugin:grpc-source] Failed to bind gRPC server", address(c, 50051), nil)
	case "sqlite":
		startSQLite(c)
	case "mock":
		c.say(levelInfo, "Starting Mock Source component: %s", c.id)
	}
	if contains(f.failingSources, c.id) {
		c.say(levelError, "simulated fault")
		c.set(statusError, "simulated fault")
		return nil
	}
	c.set(statusRunning, "")
	return nil
}

func address(c *component, port uint64) string {
	return net.JoinHostPort(c.text("host", "0.0.0.0"), strconv.FormatUint(c.number("port", port), 10))
}

// startHTTPSource opens the listener; events sent to it are not simulated.
func startHTTPSource(c *component) error {
	at := address(c, 0)
	listener, err := listen(at)
	if err != nil {
		return failf("Failed to bind HTTP server to %s: %v. Common causes: port already in use, insufficient permissions", at, osError(err))
	}
	serve(c, listener, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			writeJSON(w, http.StatusOK, map[string]any{"status": "healthy"})
			return
		}
		http.Error(w, "events are not simulated", http.StatusNotImplemented)
	})
	time.Sleep(bindWait)
	return nil
}

// startPostgres fails without a database unless a bootstrap provider puts the
// connection off (contract 6.2).
func startPostgres(c *component) error {
	c.say(levelInfo, "Starting PostgreSQL replication source: %s", c.id)
	c.say(levelInfo, "Starting replication for source %s", c.id)
	if explicit(c.bootstrap) {
		return nil
	}
	if err := connect(databaseAddress(c.resolved)); err != nil {
		return failf("Failed to establish PostgreSQL replication: %v", err)
	}
	return nil
}

func startSQLite(c *component) {
	rest, ok := c.resolved["restApi"].(map[string]any)
	if !ok {
		return
	}
	port := uint64(8080)
	if given, ok := rest["port"].(int64); ok {
		port = uint64(given)
	}
	host, ok := rest["host"].(string)
	if !ok {
		host = "0.0.0.0"
	}
	at := net.JoinHostPort(host, strconv.FormatUint(port, 10))
	listenHidden(c, "[plugin:sqlite-source] Failed to bind REST server", at, http.NotFound)
}

func (inst *instance) startReaction(c *component) {
	switch c.kind {
	case "sse":
		path := c.text("ssePath", "/events")
		listenHidden(c, "[plugin:sse-reaction] Failed to bind SSE server", address(c, 8080), func(w http.ResponseWriter, r *http.Request) {
			serveEvents(w, r, path)
		})
	case "dashboard", "mcp":
		listenHidden(c, "[plugin:"+c.kind+"-reaction] Failed to bind server", address(c, 3000), http.NotFound)
	}
	c.set(statusRunning, "")
	inst.awaitQueries(c)
}

// listenHidden opens a listener whose failure only stdout tells (contract
// 6.2). Without a handler connections are closed at once.
func listenHidden(c *component, complaint, at string, handler http.HandlerFunc) {
	listener, err := listen(at)
	if err != nil {
		c.log.err("drasi_host_sdk::callbacks", "%s: %v", complaint, osError(err))
		return
	}
	if handler == nil {
		c.hold(listener)
		go closeAll(listener)
		return
	}
	serve(c, listener, handler)
}

func closeAll(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		// The peer learns all it can from the end of the connection.
		_ = conn.Close()
	}
}

func serve(c *component, listener net.Listener, handler http.HandlerFunc) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	c.hold(server)
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			c.log.err("drasi_host_sdk::callbacks", "[plugin:%s] %v", c.id, err)
		}
	}()
}

// serveEvents holds a stream open that never has an event.
func serveEvents(w http.ResponseWriter, r *http.Request, path string) {
	if r.URL.Path != path {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	<-r.Context().Done()
}
