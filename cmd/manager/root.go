package main

import (
	"fmt"
	"runtime/debug"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// version is set by the linker for releases.
var version = ""

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "manager",
		Short: "DRaaS: drasi-server as a service on Kubernetes",
		Long: `DRaaS hosts drasi-server: one DrasiInstance object is one running server.

Two parts work together through the Kubernetes API server only:
  manager controller   one per cluster (more for fail-over): gives instances a host, watches over hosts
  manager agent        one per machine: runs the servers of its host and reports on them`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       buildVersion(),
	}
	root.AddCommand(newControllerCommand(), newAgentCommand())
	return root
}

// buildVersion is the release's version, else that of the sources.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return "devel-" + setting.Value[:min(12, len(setting.Value))]
		}
	}
	return "devel"
}

// common are the flags that both parts have.
type common struct {
	kubeconfig     string
	metricsAddress string
	healthAddress  string
	logLevel       string
}

func (c *common) addFlags(command *cobra.Command, metrics, health string) {
	flags := command.Flags()
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "file with the credentials for the API server; empty: those of the pod's ServiceAccount")
	flags.StringVar(&c.metricsAddress, "metrics-bind-address", metrics, "address at which Prometheus metrics are served; 0 turns them off")
	flags.StringVar(&c.healthAddress, "health-probe-bind-address", health, "address at which /healthz and /readyz are served; 0 turns them off")
	flags.StringVar(&c.logLevel, "log-level", "info", "error, info or debug")
}

// logger returns a structured logger, and makes it that of the libraries too.
func (c *common) logger() (logr.Logger, error) {
	levels := map[string]zapcore.Level{"error": zapcore.ErrorLevel, "info": zapcore.InfoLevel, "debug": zapcore.DebugLevel}
	level, known := levels[c.logLevel]
	if !known {
		return logr.Logger{}, fmt.Errorf("--log-level: %q is not one of error, info, debug", c.logLevel)
	}
	// Much happens within one second.
	precise := func(o *zap.Options) { o.TimeEncoder = zapcore.RFC3339NanoTimeEncoder }
	log := zap.New(zap.Level(level), precise)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	return log, nil
}

// connect loads the credentials. The API server's own flow control is the limit of our requests, not the client's.
func (c *common) connect() (*rest.Config, error) {
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.UserAgent = "draas-manager/" + buildVersion()
	return config, nil
}

func (c *common) load() (*rest.Config, error) {
	if c.kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", c.kubeconfig)
}
