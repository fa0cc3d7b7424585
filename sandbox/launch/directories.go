package launch

import (
	"ctl/sandbox/service"
)

// A directory is one of RuntimeDirectory= and its kin as it was made.
type directory struct{}

// directoryKinds are the five kinds of directories.
var directoryKinds = [...]struct {
	top, variable string
	step          step
}{
	{"/run", "RUNTIME_DIRECTORY", runtimeDirectory},
	{"/var/lib", "STATE_DIRECTORY", stateDirectory},
	{"/var/cache", "CACHE_DIRECTORY", cacheDirectory},
	{"/var/log", "LOGS_DIRECTORY", logsDirectory},
	{"/etc", "CONFIGURATION_DIRECTORY", configurationDirectory},
}

// top is where directories of a kind are.
func (r *Room) top(k service.DirectoryKind) string { return directoryKinds[k].top }
