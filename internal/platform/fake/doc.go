// Package fake is a platform in memory: a World holds what would be on a host (servers, files, ports) and outlives the Driver that looks
// after it. It serves unit tests of the pipeline and tests of scale; nothing of the product uses it.
//
// Time is that of the world's Clock. With a Manual clock nothing happens but what a test advances to.
package fake
