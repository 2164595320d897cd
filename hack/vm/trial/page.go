package trial

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// hostsPage is the page whose commands are tried.
const hostsPage = "docs/hosts.md"

// block is a code block of the page that begins after a comment like <!-- tried: NAME -->.
var block = regexp.MustCompile("(?s)<!-- tried: ([a-z]+) -->\n+```sh\n(.*?)```")

// readBlocks returns the commands that are to be tried, by name.
func readBlocks(page string) (map[string]string, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, fmt.Errorf("read the commands to try: %w", err)
	}
	blocks := map[string]string{}
	for _, match := range block.FindAllStringSubmatch(string(text), -1) {
		blocks[match[1]] = match[2]
	}
	for _, name := range []string{"access", "install", "look", "upgrade", "uninstall"} {
		if blocks[name] == "" {
			return nil, fmt.Errorf("%s has no commands marked as <!-- tried: %s -->", page, name)
		}
	}
	return blocks, nil
}

// assign gives a variable of a block, of which the page has an example, the value of this trial.
func assign(script, name, value string) (string, error) {
	line := regexp.MustCompile(`(?m)^` + name + `=\S+`)
	if !line.MatchString(script) {
		return "", fmt.Errorf("%s sets no %s", hostsPage, name)
	}
	return line.ReplaceAllLiteralString(script, name+"='"+strings.ReplaceAll(value, "'", `'\''`)+"'"), nil
}
