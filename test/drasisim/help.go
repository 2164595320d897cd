package main

// Texts of the command line (contract 1.1), as the real server prints them.
const (
	helpText = `Standalone Drasi server for data change processing

Usage: drasi-server [OPTIONS] [COMMAND]

Commands:
  run       Run the server (default if no subcommand specified)
  validate  Validate a configuration file without starting the server
  doctor    Check system dependencies and requirements
  init      Initialize a new configuration file interactively
  plugin    Manage plugins from OCI registries
  help      Print this message or the help of the given subcommand(s)

Options:
  -c, --config <CONFIG>            Path to the configuration file [default: config/server.yaml]
  -p, --port <PORT>                Override the server port
      --plugins-dir <PLUGINS_DIR>  Directory to scan for plugin shared libraries (defaults to binary directory)
      --skip-verification          Disable cosign signature verification for plugins (verification is on by default)
      --enable-ui                  Enable the web UI (overrides config file)
      --disable-ui                 Disable the web UI (overrides config file)
  -h, --help                       Print help
  -V, --version                    Print version
`

	runHelpText = `Run the server (default if no subcommand specified)

Usage: drasi-server run [OPTIONS]

Options:
  -c, --config <CONFIG>            Path to the configuration file [default: config/server.yaml]
  -p, --port <PORT>                Override the server port
      --plugins-dir <PLUGINS_DIR>  Directory to scan for plugin shared libraries (defaults to binary directory)
      --skip-verification          Disable cosign signature verification for plugins (verification is on by default)
      --enable-ui                  Enable the web UI (overrides config file)
      --disable-ui                 Disable the web UI (overrides config file)
  -h, --help                       Print help
`

	validateHelpText = `Validate a configuration file without starting the server

Usage: drasi-server validate [OPTIONS]

Options:
  -c, --config <CONFIG>            Path to the configuration file to validate [default: config/server.yaml]
      --show-resolved              Show resolved configuration with environment variables expanded
      --plugins-dir <PLUGINS_DIR>  Directory to scan for plugin shared libraries
  -p, --port <PORT>                Override the server port
      --skip-verification          Disable cosign signature verification for plugins (verification is on by default)
      --enable-ui                  Enable the web UI (overrides config file)
      --disable-ui                 Disable the web UI (overrides config file)
  -h, --help                       Print help
`

	installHelpText = `Install a plugin from an OCI registry, local file, or HTTP URL

Usage: drasi-server plugin install [OPTIONS] [REFERENCE]

Arguments:
  [REFERENCE]  Plugin reference: OCI (e.g., "source/postgres:0.1.8"), OCI wildcard pattern (e.g., "source/*" or "*/postgres"), file (e.g., "file:///path/to/plugin.so"), or HTTP (e.g., "https://example.com/plugin.so")

Options:
      --from-config                Install all plugins declared in the config file
      --registry <REGISTRY>        Override OCI registry (default: from config or ghcr.io/drasi-project)
      --platform <PLATFORM>        Override target platform (e.g., "linux/amd64")
      --locked                     Use exact versions from plugins.lock (fail if lockfile is missing or outdated)
  -c, --config <CONFIG>            Path to the configuration file [default: config/server.yaml]
  -p, --port <PORT>                Override the server port
      --plugins-dir <PLUGINS_DIR>  Directory to scan for plugin shared libraries (defaults to binary directory)
      --skip-verification          Disable cosign signature verification for plugins (verification is on by default)
      --enable-ui                  Enable the web UI (overrides config file)
      --disable-ui                 Disable the web UI (overrides config file)
  -h, --help                       Print help
`

	shortVersion = "drasi-server 0.2.2\n"
	longVersion  = "drasi-server 0.2.2\nrustc: rustc 1.95.0 (59807616e 2026-04-14)\nplugin-sdk: 0.11.0\n"
)
