package process

// Point names an effect of the driver on its host.
type Point string

// The effects. Before and after each of them the agent may die, and the next one must come to the same end.
const (
	// PointMkdir makes the directories of an instance.
	PointMkdir Point = "mkdir"
	// PointOwn gives files to the user of an instance, or takes them back.
	PointOwn Point = "chown"
	// PointInput writes the inputs of a start.
	PointInput Point = "input"
	// PointJournal writes the temporary file of a journal.
	PointJournal Point = "journal"
	// PointSync makes a temporary file durable.
	PointSync Point = "fsync"
	// PointRename puts a temporary file in its place.
	PointRename Point = "rename"
	// PointPlugin makes the directory of a plugin set.
	PointPlugin Point = "plugin"
	// PointConfig writes the configuration file.
	PointConfig Point = "config"
	// PointSpec writes the launch specification.
	PointSpec Point = "spec"
	// PointMakeGroup makes the cgroup of an instance, with its limits.
	PointMakeGroup Point = "mkcgroup"
	// PointClone starts the launcher.
	PointClone Point = "clone"
	// PointRecord writes process id and start time into the journal.
	PointRecord Point = "record"
	// PointGo gives the launcher the word.
	PointGo Point = "go"
	// PointSignal sends SIGINT.
	PointSignal Point = "signal"
	// PointKill kills what is left of a server.
	PointKill Point = "kill"
	// PointKillGroup kills everything in the cgroup of an instance.
	PointKillGroup Point = "killcgroup"
	// PointReap takes the exit code of a dead process.
	PointReap Point = "reap"
	// PointRemoveGroup removes the cgroup of an instance.
	PointRemoveGroup Point = "rmcgroup"
	// PointRetain moves the data of an instance away.
	PointRetain Point = "retain"
	// PointRemove removes the directory of an instance.
	PointRemove Point = "remove"
)

// Points are all effects.
func Points() []Point {
	return []Point{
		PointMkdir, PointOwn, PointInput, PointJournal, PointSync, PointRename, PointPlugin, PointConfig, PointSpec, PointMakeGroup, PointClone,
		PointRecord, PointGo, PointSignal, PointKill, PointKillGroup, PointReap, PointRemoveGroup, PointRetain, PointRemove,
	}
}

// Hooks are called around each effect, from any goroutine.
type Hooks struct {
	Before func(Point)
	After  func(Point)
}

// around runs an effect between its hooks. The receiver may be nil.
func (h *Hooks) around(point Point, effect func() error) error {
	if h != nil && h.Before != nil {
		h.Before(point)
	}
	err := effect()
	if h != nil && h.After != nil {
		h.After(point)
	}
	return err
}
