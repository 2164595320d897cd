//go:build race

package integration_test

// raceEnabled says that the product is to be built with the race detector, as the tests are.
const raceEnabled = true
