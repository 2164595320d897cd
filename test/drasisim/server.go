package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// server is one run of the process.
type server struct {
	opts      options
	env       environment
	log       *logger
	faults    *faults
	record    *recorder
	settings  settings
	writable  bool
	instances []*instance
}

// serveConfig runs the server until it is stopped and gives its exit code.
func serveConfig(opts options, env environment) int {
	f, err := readFaults(env)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drasisim:", err)
		return notSimulated
	}
	s := &server{opts: opts, env: env, faults: f, log: newLogger(os.Stdout, env, "info")}
	s.record = &recorder{path: f.record, config: opts.config}
	if err := s.record.begin(); err != nil {
		fmt.Fprintln(os.Stderr, "drasisim:", err)
		return notSimulated
	}
	code := s.live()
	if err := s.record.end(code); err != nil {
		fmt.Fprintln(os.Stderr, "drasisim:", err)
	}
	return code
}

// live starts, waits for SIGINT or a fault that ends the process, and stops.
func (s *server) live() int {
	if s.faults.crash() {
		fmt.Fprint(os.Stderr, s.faults.crashText)
		return s.faults.crashCode
	}
	done := make(chan int, 1)
	if s.faults.exits {
		time.AfterFunc(s.faults.exitAfter, func() {
			fmt.Fprint(os.Stderr, s.faults.exitText)
			done <- s.faults.exitCode
		})
	}
	go func() {
		if err := s.start(); err != nil {
			fmt.Fprintf(os.Stderr, "Error: %v\n", err)
			done <- 1
			return
		}
		s.awaitInterrupt()
		done <- 0
	}()
	return <-done
}

// start brings everything up; the API is bound last.
func (s *server) start() error {
	if err := s.faults.spawnChildren(); err != nil {
		return err
	}
	go s.faults.floodStdout(s.log)
	cfg, err := s.load()
	if err != nil {
		return err
	}
	if err := s.build(cfg); err != nil {
		return err
	}
	s.banner()
	for _, inst := range s.instances {
		if err := inst.start(s.faults); err != nil {
			return err
		}
	}
	time.Sleep(s.faults.slowStart)
	for s.faults.hang {
		// An empty select would be a deadlock to the runtime, and end it.
		time.Sleep(time.Hour)
	}
	return s.openAPI()
}

// load reads the configuration, making a default one where there is none.
func (s *server) load() (*serverConfig, error) {
	if _, err := os.Stat(s.opts.config); os.IsNotExist(err) {
		s.log.warn("drasi_server", "Config file '%s' not found. Creating default configuration.", s.opts.config)
		if err := createDefault(s.opts); err != nil {
			return nil, err
		}
		s.log.info("drasi_server", "Default configuration created at: %s", s.opts.config)
	}
	cfg, err := loadConfig(s.opts.config)
	if err != nil {
		return nil, err
	}
	if s.settings, err = check(cfg, s.env); err != nil {
		return nil, err
	}
	if s.opts.hasPort {
		s.settings.port = s.opts.port
	}
	s.log.setLevel(s.env, s.settings.logLevel)
	s.log.info("drasi_server", "Starting Drasi Server")
	s.log.info("drasi_server", "Config file: %s", s.opts.config)
	s.log.info("drasi_server", "Port: %d", s.settings.port)
	return cfg, nil
}

// build loads the plugins and makes the instances.
func (s *server) build(cfg *serverConfig) error {
	dir := pluginsDir(s.opts)
	s.log.info("drasi_server", "Plugins directory: %s", dir)
	kinds := newRegistry()
	if cfg.verifyPlugins && !s.opts.skipVerify {
		kinds.loadUnverified(dir, s.log)
	} else {
		kinds.loadDir(dir, s.log)
	}
	s.openForAppend()
	if err := kinds.missing(cfg); err != nil {
		return err
	}
	b := &builder{kinds: kinds, env: s.env, log: s.log}
	for i := range s.settings.instances {
		resolved := s.settings.instances[i]
		inst, err := b.build(resolved.cfg, resolved.id)
		if err != nil {
			return err
		}
		s.instances = append(s.instances, inst)
	}
	return nil
}

func pluginsDir(opts options) string {
	if opts.pluginsDir != "" {
		return opts.pluginsDir
	}
	self, err := os.Executable()
	if err != nil {
		return "plugins"
	}
	return filepath.Join(filepath.Dir(self), "plugins")
}

// openForAppend decides once whether the API may change anything (contract
// 4.8).
func (s *server) openForAppend() {
	file, err := os.OpenFile(s.opts.config, os.O_WRONLY|os.O_APPEND, 0)
	s.writable = err == nil
	if err != nil {
		s.log.warn("drasi_server::server", "Config file is not writable. API in READ-ONLY mode.")
		s.log.warn("drasi_server::server", "Cannot create or delete components via API.")
		return
	}
	// Only that it could be opened matters.
	_ = file.Close()
}

func (s *server) banner() {
	level := s.settings.logLevel + ",oci_client=error"
	if rust, ok := s.env("RUST_LOG"); ok {
		level = rust
	}
	s.log.raw(fmt.Sprintf("Starting Drasi Server\n  Version: 0.2.2\n  Rust: rustc 1.95.0 (59807616e 2026-04-14)\n"+
		"  Plugin SDK: 0.11.0\n  Config file: %s\n  API Port: %d\n  Log level: %s\n", s.opts.config, s.settings.port, level))
	s.log.info("drasi_server::server", "Initializing Drasi Server")
}

func (s *server) openAPI() error {
	at := net.JoinHostPort(s.settings.host, strconv.Itoa(int(s.settings.port)))
	s.log.info("drasi_server::server", "Starting web API on %s", at)
	listener, err := listen(at)
	if err != nil {
		return osError(err)
	}
	api := &api{instances: s.instances, writable: s.writable, faults: s.faults}
	web := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := web.Serve(listener); err != nil {
			s.log.err("drasi_server::server", "API server error: %v", err)
		}
	}()
	s.log.info("drasi_server::server", "Drasi Server started successfully with API on port %d", s.settings.port)
	return nil
}

// awaitInterrupt installs the handler, a little after the API answers, and
// stops the instances when SIGINT comes.
func (s *server) awaitInterrupt() {
	time.Sleep(s.faults.handlerDelay)
	caught := catchInterrupt()
	<-caught
	for s.faults.ignoreInt {
		<-caught
	}
	s.log.info("drasi_server::server", "Shutting down Drasi Server")
	time.Sleep(s.faults.stopTakes)
	for _, inst := range s.instances {
		inst.stop()
	}
}
