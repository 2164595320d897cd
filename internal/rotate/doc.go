// Package rotate keeps the output files of servers near a limit. A server appends to its file by itself and waits for nobody; when the file has
// become too big, its last part is copied to a file beside it, and the file is emptied.
//
// A server that prints as fast as it can writes a gigabyte in a second. Whoever cuts its file must not wait for a processor, for a garbage
// collection or for a lock, so this is done by a process of its own, which does nothing else and has priority where it may: the agent starts its
// own executable again under the name Name, and this package's init takes over before anything else of the program is initialised. It ends with
// the agent.
//
// It imports the standard library only, for the reason that package launcher gives, and for its memory.
package rotate

import "strconv"

// Name is the argument zero under which the executable is the rotator.
const Name = "draas-rotate"

// Command is the command line of a rotator that keeps files near a limit in bytes. It reads the paths of the files from standard input, each with
// a NUL behind it, and ends when that does. A file that is gone is forgotten until its path is read again. What goes wrong is told on standard
// output, a line each; nobody needs to read it.
func Command(limit int64) []string { return []string{Name, strconv.FormatInt(limit, 10)} }

// Previous is where the part is kept that was cut off a file last.
func Previous(path string) string { return path + ".1" }
