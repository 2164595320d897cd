//go:build linux

package main

import (
	"math"
	"testing"
	"time"
)

func TestPercentilesAreMeasuredValues(t *testing.T) {
	hundred := make(series, 0, 100)
	for i := 100; i >= 1; i-- {
		hundred.add(time.Duration(i) * time.Millisecond)
	}
	for _, c := range []struct {
		name   string
		values series
		want   summary
	}{
		{"none", nil, summary{}},
		{"one", series{7}, summary{N: 1, P50: 7, P90: 7, P99: 7, Max: 7}},
		{"two", series{3, 1}, summary{N: 2, P50: 1, P90: 3, P99: 3, Max: 3}},
		{"a hundred", hundred, summary{N: 100, P50: 50, P90: 90, P99: 99, Max: 100}},
		{"one outlier of a hundred", append(hundred[:99:99], 1000), summary{N: 100, P50: 51, P90: 91, P99: 100, Max: 1000}},
	} {
		if got := c.values.summarise(); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("summarising changed the order of the values")
	}
}

func TestAboveKeepsTheValues(t *testing.T) {
	values := series{5, 3}
	if got := values.above(3); got[0] != 2 || got[1] != 0 || values[0] != 5 {
		t.Errorf("got %v of %v", got, values)
	}
}

func TestFitFindsInterceptAndSlope(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want line
	}{
		{"a line", []float64{0, 50, 200}, []float64{10, 60, 210}, line{10, 1}},
		{"noise that cancels out", []float64{0, 1, 2, 3}, []float64{1, -1, 3, 1}, line{0.4, 0.4}},
		{"one x", []float64{4, 4}, []float64{1, 3}, line{2, 0}},
	} {
		got := fit(c.x, c.y)
		if math.Abs(got.Intercept-c.want.Intercept) > 1e-9 || math.Abs(got.Slope-c.want.Slope) > 1e-9 {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := fit(nil, nil); !math.IsNaN(got.Slope) {
		t.Errorf("of no points: %+v", got)
	}
}
