package main

import (
	"fmt"
	"strconv"
	"strings"
)

// defaultConfig is where the server looks without --config.
const defaultConfig = "config/server.yaml"

// options is a command line as parsed (contract 1.1).
type options struct {
	command      string
	action       string
	config       string
	port         uint16
	hasPort      bool
	pluginsDir   string
	skipVerify   bool
	enableUI     bool
	disableUI    bool
	showResolved bool
	help         bool
	version      string
}

// usageError ends the process with 2 and its text on stderr.
type usageError struct{ text string }

func (e usageError) Error() string {
	return "error: " + e.text + "\n\nFor more information, try '--help'.\n"
}

const usageLine = "\n\nUsage: drasi-server [OPTIONS] [COMMAND]"

// parseArgs understands flags before and after a sub-command alike.
func parseArgs(args []string) (options, error) {
	opts := options{config: defaultConfig}
	for i := 0; i < len(args); i++ {
		name, inline, hasInline := splitFlag(args[i])
		if !strings.HasPrefix(name, "-") || name == "-" {
			if err := opts.word(name); err != nil {
				return opts, err
			}
			continue
		}
		if takesValue(name) {
			val := inline
			if !hasInline {
				i++
				if i >= len(args) {
					return opts, usageError{fmt.Sprintf("a value is required for '%s' but none was supplied", valueName(name))}
				}
				val = args[i]
			}
			if err := opts.setValue(name, val); err != nil {
				return opts, err
			}
			continue
		}
		if err := opts.setFlag(name); err != nil {
			return opts, err
		}
		if opts.help || opts.version != "" {
			return opts, nil
		}
	}
	if opts.enableUI && opts.disableUI {
		return opts, usageError{"the argument '--enable-ui' cannot be used with '--disable-ui'" + usageLine}
	}
	return opts, nil
}

func splitFlag(arg string) (name, val string, inline bool) {
	if strings.HasPrefix(arg, "--") {
		return cutInline(arg)
	}
	if len(arg) > 2 && arg[0] == '-' && takesValue(arg[:2]) {
		return arg[:2], strings.TrimPrefix(arg[2:], "="), true
	}
	return arg, "", false
}

func cutInline(arg string) (string, string, bool) {
	name, val, ok := strings.Cut(arg, "=")
	return name, val, ok
}

func takesValue(name string) bool { return valueName(name) != "" }

func valueName(name string) string {
	switch name {
	case "-c", "--config":
		return "--config <CONFIG>"
	case "-p", "--port":
		return "--port <PORT>"
	case "--plugins-dir":
		return "--plugins-dir <PLUGINS_DIR>"
	case "--registry":
		return "--registry <REGISTRY>"
	case "--platform":
		return "--platform <PLATFORM>"
	}
	return ""
}

func (o *options) setValue(name, val string) error {
	switch name {
	case "-c", "--config":
		o.config = val
	case "-p", "--port":
		port, err := strconv.ParseUint(val, 10, 64)
		if err != nil {
			return usageError{fmt.Sprintf("invalid value '%s' for '--port <PORT>': invalid digit found in string", val)}
		}
		if port > 65535 {
			return usageError{fmt.Sprintf("invalid value '%s' for '--port <PORT>': %s is not in 0..=65535", val, val)}
		}
		o.port, o.hasPort = uint16(port), true
	case "--plugins-dir":
		o.pluginsDir = val
	default:
		return o.pluginOnly(name)
	}
	return nil
}

func (o *options) setFlag(name string) error {
	switch name {
	case "--skip-verification":
		o.skipVerify = true
	case "--enable-ui":
		o.enableUI = true
	case "--disable-ui":
		o.disableUI = true
	case "-h", "--help":
		o.help = true
	case "-V":
		return o.askVersion(name, shortVersion)
	case "--version":
		return o.askVersion(name, longVersion)
	case "--show-resolved":
		if o.command != "validate" {
			return unexpected(name)
		}
		o.showResolved = true
	case "--from-config", "--locked":
		return o.pluginOnly(name)
	default:
		return unexpected(name)
	}
	return nil
}

// askVersion holds at the top level only: sub-commands have no version.
func (o *options) askVersion(name, text string) error {
	if o.command != "" {
		return unexpected(name)
	}
	o.version = text
	return nil
}

func (o *options) pluginOnly(name string) error {
	if o.command != "plugin" {
		return unexpected(name)
	}
	return nil
}

func unexpected(arg string) error {
	return usageError{fmt.Sprintf("unexpected argument '%s' found", arg) + usageLine}
}

// word takes what is no flag: the sub-command, then what belongs to it.
func (o *options) word(word string) error {
	switch {
	case o.command == "":
		switch word {
		case "run", "validate", "doctor", "init", "plugin", "help":
			o.command = word
			return nil
		}
		return usageError{fmt.Sprintf("unrecognized subcommand '%s'", word) + usageLine}
	case o.command == "plugin" && o.action == "":
		o.action = word
		return nil
	case o.command == "plugin":
		return nil
	}
	return unexpected(word)
}

// helpFor is the text that --help prints in this place.
func (o *options) helpFor() string {
	switch {
	case o.command == "run":
		return runHelpText
	case o.command == "validate":
		return validateHelpText
	case o.command == "plugin" && o.action == "install":
		return installHelpText
	}
	return helpText
}
