// Package trial installs an agent on a machine with systemd by the commands of docs/hosts.md, word for word, and shows that its units keep what they promise: servers outlive
// restarts, a SIGKILL and a stop of the agent with their PIDs and limits, and come back by themselves after a reboot of the machine.
//
// The control plane and the controller run here, the agent and its servers in the machine, which is a host outside the cluster.
package trial
