// Command drasisim behaves as drasi-server 0.2.2 as far as its users outside
// can see, without its query engine: command line, configuration, plugins,
// start and stop, health and the reading part of the REST API. README.md says
// what it leaves out, and which faults it can be told to have.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if os.Getenv(roleVariable) == "child" {
		beStubborn()
		return
	}
	os.Exit(run(os.Args[1:], os.LookupEnv))
}

// notSimulated is the exit code of commands that are left out.
const notSimulated = 70

func run(args []string, env environment) int {
	opts, err := parseArgs(args)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprint(os.Stderr, usage.Error())
		return 2
	case opts.version != "":
		fmt.Print(opts.version)
		return 0
	case opts.help || opts.command == "help":
		fmt.Print(opts.helpFor())
		return 0
	}
	switch opts.command {
	case "", "run":
		return serveConfig(opts, env)
	case "validate":
		return validate(opts, env, os.Stdout)
	}
	fmt.Fprintf(os.Stderr, "drasisim: the command '%s' is not simulated\n", opts.command)
	return notSimulated
}
