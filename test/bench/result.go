//go:build linux

package main

import (
	"fmt"
	"math"
	"time"
)

// kind says what a figure is for.
type kind string

const (
	// kindGoal has a goal.
	kindGoal kind = "goal"
	// kindBaseline was measured in the same run without the product.
	kindBaseline kind = "baseline"
	// kindStep is a part of another figure.
	kindStep kind = "step"
	// kindFact is told beside the others.
	kindFact kind = "fact"
)

// figure is one row of a table: a distribution, or a value alone.
type figure struct {
	Name string `json:"name"`
	Kind kind   `json:"kind"`
	Unit string `json:"unit,omitempty"`
	// Series is nil for a value.
	Series *summary `json:"series,omitempty"`
	Value  float64  `json:"value,omitempty"`
	Goal   string   `json:"goal,omitempty"`
	Met    *bool    `json:"met,omitempty"`
}

// result is what a case found.
type result struct {
	Case    string   `json:"case"`
	Title   string   `json:"title"`
	Figures []figure `json:"figures"`
	// Notes say what the figures cannot.
	Notes []string `json:"notes,omitempty"`
	// Load is the machine's load average before the case, Took how long it lasted.
	Load string        `json:"loadBefore"`
	Took time.Duration `json:"tookNanoseconds"`
}

// bound is a goal for a percentile.
type bound struct {
	percentile string
	most       float64
}

// series adds a distribution of milliseconds.
func (r *result) series(k kind, name string, values series) { r.seriesOf(k, name, ms, values) }

// seriesOf adds a distribution in any unit.
func (r *result) seriesOf(k kind, name, unit string, values series) {
	s := values.summarise()
	r.Figures = append(r.Figures, figure{Name: name, Kind: k, Unit: unit, Series: &s})
}

// judged adds a distribution of milliseconds with goals. Of fewer than 100 values no p99 is judged.
func (r *result) judged(name string, values series, bounds ...bound) {
	s := values.summarise()
	met, known, text := true, true, ""
	for _, b := range bounds {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s ≤ %s", b.percentile, number(b.most))
		got := map[string]float64{"p50": s.P50, "p90": s.P90, "p99": s.P99}[b.percentile]
		met = met && got <= b.most
		known = known && s.N >= 1 && (b.percentile != "p99" || s.N >= 100)
	}
	f := figure{Name: name, Kind: kindGoal, Unit: ms, Series: &s, Goal: text}
	if known {
		f.Met = &met
	}
	r.Figures = append(r.Figures, f)
}

// value adds a value.
func (r *result) value(k kind, name, unit string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		r.note("%s could not be measured.", name)
		return
	}
	r.Figures = append(r.Figures, figure{Name: name, Kind: k, Unit: unit, Value: value})
}

// atMost adds a value with a goal.
func (r *result) atMost(name, unit string, value, most float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		r.note("%s could not be measured.", name)
		return
	}
	met := value <= most
	r.Figures = append(r.Figures, figure{Name: name, Kind: kindGoal, Unit: unit, Value: value, Goal: "≤ " + number(most), Met: &met})
}

// note adds a sentence.
func (r *result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// number writes a value with three significant digits, and whole ones whole.
func number(v float64) string {
	switch magnitude := math.Abs(v); {
	case v == math.Trunc(v) && magnitude < 1e7:
		return fmt.Sprintf("%.0f", v)
	case magnitude >= 100:
		return fmt.Sprintf("%.0f", v)
	case magnitude >= 10:
		return fmt.Sprintf("%.1f", v)
	case magnitude >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
