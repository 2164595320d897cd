package integration_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/draas-io/draas/api/v1alpha1"
)

// apiPort is the port that a server that still starts will bind, from its command line.
func apiPort(instance *v1alpha1.DrasiInstance) string {
	GinkgoHelper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid(instance)))
	Expect(err).NotTo(HaveOccurred())
	args := bytes.Split(bytes.TrimRight(line, "\x00"), []byte{0})
	for i, arg := range args {
		if string(arg) == "--port" {
			return string(args[i+1])
		}
	}
	Fail("no --port on the command line: " + string(bytes.Join(args, []byte(" "))))
	return ""
}

// serveTwin answers as a healthy server with that id would.
func serveTwin(listener net.Listener, id string) {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/health" {
			fmt.Fprint(w, `{"status":"ok"}`)
			return
		}
		fmt.Fprintf(w, `{"success":true,"data":{"instance_id":%q,"sources":[],"queries":[],"reactions":[]},"error":null}`, id)
	})}
	go func() { _ = server.Serve(listener) }()
	DeferCleanup(func() { _ = server.Close() })
}
