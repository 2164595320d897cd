//go:build linux

package launcher

import (
	"strings"
	"testing"
)

func TestUsersOfTheirOwnNeedEveryCapabilityToLookAfterThem(t *testing.T) {
	holding := func(without string) (held capabilitySets) {
		for _, needed := range lookAfter {
			if needed.name != without {
				held[needed.capability/32].effective |= 1 << (needed.capability % 32)
				held[needed.capability/32].permitted |= 1 << (needed.capability % 32)
			}
		}
		return held
	}
	if err := rights(holding(""), nil).SetUser; err != nil {
		t.Errorf("with all of them: %v", err)
	}
	for _, needed := range lookAfter {
		if err := rights(holding(needed.name), nil).SetUser; err == nil || !strings.Contains(err.Error(), needed.name) {
			t.Errorf("without %s: %v", needed.name, err)
		}
	}
	if err := rights(holding(""), map[string]string{"setgroups": "deny\n"}).SetUser; err == nil {
		t.Error("nobody can give up groups there")
	}
}
