package instance

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// bound is what a limit may be, and what is wrong with less.
type bound struct {
	least, most string
	why         string
}

// memoryBound: an empty server has 10 MB of memory of its own (contract 8), so with less than this none can start.
func memoryBound() bound {
	return bound{least: "16Mi", most: "1Pi", why: "no server can start with less"}
}

// cpuBound: the kernel gives out processor time in parts of a hundredth of a processor.
func cpuBound() bound { return bound{least: "10m", most: "10k", why: "the kernel enforces no less"} }

// check says what is wrong with a limit; "" where nothing is. To compare quantities changes how they are kept, so copies are compared.
func (b bound) check(limit *resource.Quantity) string {
	if limit == nil {
		return ""
	}
	amount, least, most := limit.DeepCopy(), resource.MustParse(b.least), resource.MustParse(b.most)
	switch {
	case amount.Sign() <= 0:
		return fmt.Sprintf("must be more than 0, at least %s; leave it out for no limit", b.least)
	case amount.Cmp(least) < 0:
		return fmt.Sprintf("%s is too little: at least %s, %s", limit.String(), b.least, b.why)
	case amount.Cmp(most) > 0:
		return fmt.Sprintf("%s is more than any machine has: at most %s", limit.String(), b.most)
	}
	return ""
}

// limitsOf returns spec.resources.limits; never nil.
func limitsOf(spec *v1alpha1.DrasiInstanceSpec) *v1alpha1.ResourceAmounts {
	if spec.Resources == nil || spec.Resources.Limits == nil {
		return &v1alpha1.ResourceAmounts{}
	}
	return spec.Resources.Limits
}

// limitFindings says which limits can never be.
func limitFindings(spec *v1alpha1.DrasiInstanceSpec) []drasi.Finding {
	limits := limitsOf(spec)
	var findings []drasi.Finding
	if words := memoryBound().check(limits.Memory); words != "" {
		findings = append(findings, drasi.Finding{Field: "spec.resources.limits.memory", Message: words})
	}
	if words := cpuBound().check(limits.CPU); words != "" {
		findings = append(findings, drasi.Finding{Field: "spec.resources.limits.cpu", Message: words})
	}
	return findings
}

// Limits are an instance's limits as a driver takes them: whole bytes, and thousandths of a processor, both rounded up.
func Limits(spec *v1alpha1.DrasiInstanceSpec) platform.Resources {
	limits := limitsOf(spec)
	var amounts platform.Resources
	if limits.Memory != nil {
		amounts.Memory = limits.Memory.Value()
	}
	if limits.CPU != nil {
		amounts.CPU = limits.CPU.MilliValue()
	}
	return amounts
}
