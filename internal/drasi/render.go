package drasi

import (
	"encoding/json"
	"strconv"
)

// defaultAPIPort is the port of the API without one in the configuration (2.2).
const defaultAPIPort = 8080

// render writes the configuration file. It is JSON, which the server reads as well as YAML.
func (p *planner) render() {
	p.root["host"] = exposeAddress(p.in.Expose).String()
	p.root["port"] = json.Number(strconv.Itoa(int(p.filePort())))
	p.plan.Rendered = encodeTree(p.root)
	if size := len(p.plan.Rendered); size > maxFile {
		p.out.refuse(configPath, "makes a file of %d KiB, more than %d", size>>10, maxFile>>10)
	}
}

// filePort is the API's port in the file: the wish, or the first from 8080 on that no listener has. A driver may override it.
func (p *planner) filePort() uint16 {
	if p.plan.APIPort != 0 {
		return p.plan.APIPort
	}
	taken := map[uint16]bool{}
	for _, l := range p.plan.Listeners {
		taken[l.Port] = taken[l.Port] || !l.UDP
	}
	port := uint16(defaultAPIPort)
	for taken[port] {
		port++
	}
	return port
}
