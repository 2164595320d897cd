//go:build linux

package main

import (
	"math"
	"slices"
	"time"
)

// series are measured values of one figure, in its unit.
type series []float64

// add appends a duration as milliseconds.
func (s *series) add(d time.Duration) { *s = append(*s, float64(d)/float64(time.Millisecond)) }

// summary is what is told of a series.
type summary struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// summarise sorts a copy of the series.
func (s series) summarise() summary {
	if len(s) == 0 {
		return summary{}
	}
	sorted := slices.Clone(s)
	slices.Sort(sorted)
	return summary{
		N: len(sorted), P50: percentile(sorted, 50), P90: percentile(sorted, 90), P99: percentile(sorted, 99), Max: sorted[len(sorted)-1],
	}
}

// percentile is the smallest value of a sorted series that at least p hundredths of it do not exceed (nearest rank): it is always a value that
// was measured.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// above subtracts a number from every value.
func (s series) above(base float64) series {
	out := make(series, len(s))
	for i, v := range s {
		out[i] = v - base
	}
	return out
}

// line is the straight line that fits points best (least squares).
type line struct {
	Intercept float64 `json:"intercept"`
	Slope     float64 `json:"slope"`
}

// fit fits a line. With fewer than two different x the slope is 0.
func fit(x, y []float64) line {
	n := float64(len(x))
	if len(x) == 0 || len(x) != len(y) {
		return line{Intercept: math.NaN(), Slope: math.NaN()}
	}
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	spread := n*sxx - sx*sx
	if spread == 0 {
		return line{Intercept: sy / n}
	}
	slope := (n*sxy - sx*sy) / spread
	return line{Intercept: (sy - slope*sx) / n, Slope: slope}
}
